"""HTTP in: what was split and booked, who has what, statements, and whether the books are right."""

from fastapi import APIRouter

from runtime.api import StrictRoute
from settlement.api import books, orders, statements

router = APIRouter(route_class=StrictRoute)
router.include_router(orders.router)
router.include_router(books.router)
router.include_router(statements.router)

__all__ = ["router"]
