"""HTTP in: people and files define what is true; everybody reads it, now or as of a time."""

from fastapi import APIRouter

from directory.api import changes, lists, loads

router = APIRouter()
router.include_router(changes.router)
router.include_router(loads.router)
router.include_router(lists.router)

__all__ = ["router"]
