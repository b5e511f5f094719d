"""How gunicorn serves Lakelight. Run from the project's root: ``python cli.py serve``.

The master imports, so that workers share the pages of memory, and does nothing else: a parent that opened a Delta
table, loaded a booster or predicted leaves children that hang. Each worker opens its sources after the fork, on first
use.
"""

import contextlib
import functools
import gc
import importlib
import os
import signal
from pathlib import Path

import gunicorn.http.wsgi
import gunicorn.util
import gunicorn.workers.gthread

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

from services.settings import from_environment  # noqa: E402  after the threads of numeric libraries are bound

_settings = from_environment()

# A worker waits on its only loop for a client to close its end, two seconds by itself: a handful of clients that never
# do would hold up everybody.
gunicorn.util.close_graceful = functools.partial(gunicorn.util.close_graceful, timeout=0.02)

# A new connection that says nothing holds a thread, five seconds by itself: a hundred of them would hold up everybody.
gunicorn.workers.gthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.05

_said_by_itself = gunicorn.http.wsgi.Response.default_headers


def _without_banner(response):
    """The headers of every answer, without the one that says what serves."""
    return [line for line in _said_by_itself(response) if not line.startswith("Server:")]


gunicorn.http.wsgi.Response.default_headers = _without_banner

wsgi_app = "app:create_server()"
bind = f"{_settings.host}:{_settings.port}"
worker_class = "gthread"
workers = _settings.web_workers
threads = _settings.web_threads
preload_app = True
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  heartbeats must not wait for a disk
timeout = 60
graceful_timeout = 10
keepalive = 15
backlog = 512
max_requests = 0
limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190
forwarded_allow_ips = "127.0.0.1,::1"
accesslog = None
errorlog = "-"
loglevel = "warning"
proc_name = "lakelight"

PRELOADED = (
    "lightgbm",
    "xgboost",
    "sklearn.pipeline",
    "sklearn.ensemble",
    "skops.io",
    "shap",
    "duckdb",
    "ibis",
    "pyarrow",
)


def when_ready(server):
    """Answer at once, and share memory soon: one worker serves while the master imports what every worker will need.

    Then the collector is kept from touching (and so copying) the shared pages, and the first worker makes way for one
    that shares them; it ends when its requests are answered.
    """
    first = server.spawn_worker()
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    server.spawn_worker()
    server.kill_worker(first, signal.SIGTERM)


def worker_exit(server, worker):
    """Thaw what was frozen, so that libraries find their objects when the process ends, and complain of nothing."""
    gc.unfreeze()


def on_exit(server):
    """The same for the master."""
    gc.unfreeze()
