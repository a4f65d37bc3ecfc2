"""What a dealer may still order: credit limits and prepaid balances, held and captured."""
