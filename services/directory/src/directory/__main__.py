"""Run with `python -m directory`."""

from directory.api import router
from runtime.service import Service

service = Service("directory", title="Directory: who and what exists", router=router)

if __name__ == "__main__":
    service.main()
