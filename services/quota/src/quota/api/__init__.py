"""HTTP in: people and programs set accounts, limits and top-ups, and see where each stands."""

from fastapi import APIRouter

from quota.api import changes, views

router = APIRouter()
router.include_router(changes.router)
router.include_router(views.router)

__all__ = ["router"]
