"""ISO 4217: which currencies there are and how many decimals each has."""

from collections.abc import Mapping
from types import MappingProxyType

# Active codes of ISO 4217 (amendment 179) that people pay with, by number of decimals; precious
# metals, bond units, test codes and fund codes are left out.
_BY_SCALE: Mapping[int, str] = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD "
        "CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD "
        "GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL "
        "MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN "
        "PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP "
        "SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER "
        "ZAR ZMW ZWG"  # codespell:ignore zar
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
}
SCALES: Mapping[str, int] = MappingProxyType(
    {code: scale for scale, codes in _BY_SCALE.items() for code in codes.split()}
)


def minor_units(amount: str, currency: str) -> int:
    """Return a decimal amount as whole minor units, exactly.

    The amount has as many decimals as the currency or none at all; nothing is rounded and nothing
    is guessed. Raises ValueError otherwise (a third decimal of CNY, any of JPY, two of KWD), and
    KeyError on an unknown currency.
    """
    scale = SCALES[currency]
    whole, _, decimals = amount.partition(".")
    if decimals and len(decimals) != scale:
        raise ValueError(f"{currency} has {scale} decimals, the amount has {len(decimals)}")
    return int(whole + decimals.ljust(scale, "0"))


def decimal_amount(minor: int, currency: str) -> str:
    """Return whole minor units as a decimal amount, the inverse of `minor_units`."""
    scale = SCALES[currency]
    if scale == 0:
        return str(minor)
    whole, decimals = divmod(abs(minor), 10**scale)
    return f"{'-' if minor < 0 else ''}{whole}.{decimals:0{scale}}"
