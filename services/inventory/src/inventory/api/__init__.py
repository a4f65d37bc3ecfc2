"""HTTP in: what people and programs do to stock, and what they may see of it."""

from fastapi import APIRouter

from inventory.api import commands, views
from runtime.api import StrictRoute

router = APIRouter(route_class=StrictRoute)
router.include_router(commands.router)
router.include_router(views.router)
