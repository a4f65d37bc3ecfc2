"""What a home says of the processes that run in it."""

from yipan.home import Running, RunningService


def service(pid: int) -> RunningService:
    return RunningService(pid=pid, url="http://127.0.0.1:1", database_url="postgresql://")


def test_a_process_that_has_ended_has_no_id() -> None:
    """Signalling id 0 would end the caller's own process group."""
    running = Running(
        supervisor_pid=1,
        server_pids={"kafka": 0, "postgres": 12},
        server_restarts={},
        bootstrap="",
        postgres_url="",
        services={"quota": service(0), "routing": service(13)},
        replicas={"quota-2": service(14), "routing-2": service(0)},
    )
    assert running.pids() == {"postgres": 12, "routing": 13, "quota-2": 14}
