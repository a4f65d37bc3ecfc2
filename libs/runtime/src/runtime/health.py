"""Health: alive as long as the event loop turns, ready by progress."""

import asyncio
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from backbone import Progress

router = APIRouter(prefix="/health", tags=["health"])


class Liveness(BaseModel):
    """The process answers; one that makes no progress ends itself."""

    status: Literal["live"] = "live"


class Readiness(BaseModel):
    """Whether the process keeps up, and every reason why it does not."""

    status: Literal["ready", "not ready"]
    reasons: list[str]
    lag_events: int
    outbox_events: int
    parked_events: int
    dead_letters: int


@router.get("/live")
async def live() -> Liveness:
    """Tell that the event loop turns."""
    return Liveness()


@router.get("/ready", responses={503: {"model": Readiness, "description": "Not ready"}})
async def ready(request: Request, response: Response) -> Readiness:
    """Tell whether events are read, applied and published; 503 and the reasons when not."""
    progress: Progress = request.app.state.progress
    reasons = progress.problems(asyncio.get_running_loop().time())
    response.status_code = 503 if reasons else 200
    return Readiness(
        status="not ready" if reasons else "ready",
        reasons=reasons,
        lag_events=progress.lag_events,
        outbox_events=progress.outbox_events,
        parked_events=progress.parked_events,
        dead_letters=progress.dead_letters,
    )
