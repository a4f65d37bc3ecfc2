"""HTTP in: orders and what is asked of them, webhooks, quarantine, and what the pool knows."""

from fastapi import APIRouter

from ingest.api import commands, orders, quarantine, views, webhooks

router = APIRouter()
router.include_router(orders.router)
router.include_router(commands.router)
router.include_router(views.router)
router.include_router(quarantine.router)
router.include_router(webhooks.router)

__all__ = ["router"]
