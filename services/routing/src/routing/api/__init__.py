"""HTTP in: nodes say what they do; people and programs see who ships, why, and how far it is."""

from fastapi import APIRouter

from routing.api import nodes, orders, parcels, policy

router = APIRouter()
router.include_router(nodes.router)
router.include_router(parcels.router)
router.include_router(orders.router)
router.include_router(policy.router)

__all__ = ["router"]
