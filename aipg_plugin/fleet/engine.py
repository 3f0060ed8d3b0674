"""The only module that knows Ray: starts and joins a cluster, places actors on its nodes, calls them."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import ipaddress
import logging
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aipg_plugin.errors import HostError

_log = logging.getLogger(__name__)
DEFAULT_PORT = 6379  # Ray's own
_STORE_BYTES = 80 * 2**20  # Ray takes no less; nothing of ours passes through its object store
_JOIN_EVERY_S = 3.0
_TESTED = "2.60"
# Read by Ray once, when it is imported. Usage statistics, metrics and task records off; cameras run at normal priority
# (Ray's workers run at nice 15).
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0", "RAY_enable_metrics_collection": "0", "RAY_enable_open_telemetry": "0",
    "RAY_event_stats": "0", "RAY_task_events_report_interval_ms": "0", "RAY_memory_monitor_refresh_ms": "0",
    "RAY_worker_niceness": "0", "RAY_DISABLE_IMPORT_WARNING": "1", "RAY_LOG_TO_STDERR": "0"}
# A node that says nothing for 4 s is dead (Ray's own: up to 30 s). Arguments go from process to process, never by the
# object store, whose files anybody of this user could read.
_SYSTEM = {"health_check_period_ms": 1000, "health_check_timeout_ms": 3000, "health_check_failure_threshold": 1,
           "max_direct_call_object_size": 8 * 2**20}
_LOOPBACK_STAYS = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # at 0 Ray takes 127.0.0.1 as it is and listens there alone


class NodeLostError(HostError):
    """An actor, or the node it was on, is gone or does not answer."""


@dataclass(frozen=True)
class Endpoint:
    """Where a node listens for the others: an IP address of this machine, and the port of the head."""

    ip: str
    port: int = DEFAULT_PORT

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


def endpoint(text: str) -> Endpoint:
    """`10.0.0.1` or `10.0.0.1:6379`. Raises HostError for anything but an IP address: names would need a resolver."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (text.count(":") > 1 and not text.startswith("[")):
        host, port = text, str(DEFAULT_PORT)
    try:
        ip, number = str(ipaddress.ip_address(host.strip("[]"))), int(port)
        if not 1024 <= number <= 65_535 or ip in ("0.0.0.0", "::"):
            raise ValueError
    except ValueError:
        raise HostError("{text!r} is no address of a node", text=text,
                        cure="Give an IP address and a port above 1023, such as 10.0.0.1:6379") from None
    return Endpoint(ip, number)


@dataclass(frozen=True)
class Node:
    """A machine of the cluster that is alive."""

    id: str
    ip: str
    name: str
    cores: float


class Pending:
    """The answer to a call that is on its way."""

    def __init__(self, ray: Any, reference: Any) -> None:
        self._ray, self._reference = ray, reference

    def done(self) -> bool:
        """Whether `result` would return or raise at once."""
        ready, _ = self._ray.wait([self._reference], timeout=0)
        return bool(ready)

    def result(self, timeout_s: float) -> Any:
        """The answer. Raises NodeLostError if its node is gone or it takes longer, and what the call raised."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(self._reference, timeout=timeout_s)
        except errors.GetTimeoutError:
            raise NodeLostError("no answer within {seconds} s", seconds=timeout_s) from None
        except errors.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, Exception) else error) from None
        except errors.RayError as error:
            raise NodeLostError("the node is gone ({why})", why=type(error).__name__) from None


class NodeActor:
    """An object on a node, in a process of its own. It answers several calls at once."""

    def __init__(self, ray: Any, handle: Any, node: Node) -> None:
        self._ray, self._handle, self.node = ray, handle, node

    def call(self, method: str, *arguments: Any) -> Pending:
        """Start a call. Arguments travel to the actor's process only and are kept nowhere."""
        return Pending(self._ray, getattr(self._handle, method).remote(*arguments))

    def kill(self) -> None:
        """End its process without a goodbye, as far as its node can be reached."""
        with contextlib.suppress(Exception):
            self._ray.kill(self._handle, no_restart=True)


class Engine:
    """A connection to a cluster. Only one can be open in a process."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray

    def nodes(self) -> dict[str, Node]:
        """The nodes that are alive, by id."""
        found = {}
        for each in self._ray.nodes():
            if each["Alive"]:
                found[each["NodeID"]] = Node(each["NodeID"], each["NodeManagerAddress"], each["NodeManagerHostname"],
                                             float(each["Resources"].get("CPU", 0)))
        return found

    def spawn(self, kind: type, node: Node, *arguments: Any) -> NodeActor:
        """Make `kind(*arguments)` on a node; returns at once. Its methods run in threads.

        `arguments` are kept by the cluster for as long as the actor lives: nothing secret may be among them.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        remote = self._ray.remote(kind).options(
            num_cpus=0, max_restarts=0, max_concurrency=8,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False))
        return NodeActor(self._ray, remote.remote(*arguments), node)

    def close(self) -> None:
        """Leave the cluster; its head ends with the process that started it."""
        self._ray.shutdown()


def start_head(listen: Endpoint, cores: int | None = None) -> Engine:
    """Start a cluster whose head is this process. Raises HostError."""
    ray = _ray(listen, RAY_GCS_SERVER_PORT=str(listen.port))
    if answers(listen):
        raise HostError("{address} is in use", address=str(listen),
                        cure="A fleet may run already; else choose another port with --listen IP:PORT")
    node = importlib.import_module("ray._private.node")
    # The head's other processes would ask cloud providers who we are, show a dashboard and collect logs.
    for part in ("start_api_server", "start_monitor", "start_log_monitor"):
        if not hasattr(node.Node, part):
            raise HostError("this version of Ray ({version}) is not supported", version=ray.__version__,
                            cure=f"Install ray {_TESTED}: pip install 'aipg[fleet]'")
        setattr(node.Node, part, lambda *_, **__: None)
    with _opening():
        ray.init(_node_ip_address=listen.ip, num_cpus=cores, _system_config=_SYSTEM, **_init())
    return Engine(ray)


def connect(head: Endpoint) -> Engine:
    """Use a cluster whose node runs on this machine. Raises HostError."""
    ray = _ray(head)
    if not answers(head):
        raise HostError("no fleet answers at {address}", address=str(head),
                        cure="Start one: aipg fleet CONFIG, or aipg fleet without CONFIG for archives alone")
    with _opening():
        ray.init(address=str(head), _node_ip_address=head.ip if _is_ours(head.ip) else None,
                 **{key: value for key, value in _init().items() if key != "object_store_memory"})
    return Engine(ray)


def join(head: Endpoint, listen: Endpoint, cores: int | None, stop: threading.Event) -> None:
    """Be a node of a cluster until `stop` is set; a head that is away is waited for, again and again."""
    _ray(listen)
    waiting = False
    while not stop.is_set():
        if not answers(head):
            if not waiting:
                _log.info("waiting for the head of the fleet at %s", head)
            waiting = True
            stop.wait(_JOIN_EVERY_S)
            continue
        waiting = False
        try:
            _be_node(head, listen, cores, stop)
        except HostError as error:
            _log.error("%s", error)
        stop.wait(_JOIN_EVERY_S)


def _be_node(head: Endpoint, listen: Endpoint, cores: int | None, stop: threading.Event) -> None:
    """A node until `stop` is set or Ray's processes end. Raises HostError."""
    node_module = importlib.import_module("ray._private.node")
    params_module = importlib.import_module("ray._private.parameter")
    with _opening():
        params = params_module.RayParams(
            gcs_address=str(head), node_ip_address=listen.ip, num_cpus=cores, include_log_monitor=False,
            object_store_memory=_STORE_BYTES, min_worker_port=0, max_worker_port=0, node_manager_port=0,
            dashboard_agent_listen_port=None)
        node = node_module.Node(params, head=False, shutdown_at_exit=True, spawn_reaper=True)
    _log.info("joined the fleet at %s", head)
    while not stop.wait(1.0) and not node.dead_processes():
        pass
    with contextlib.suppress(Exception):
        node.kill_all_processes(check_alive=False, allow_graceful=True, wait=True)
    _log.info("left the fleet")


def _ray(listen: Endpoint, **environment: str) -> Any:
    """Ray, imported with everything off that tells others about us. Raises HostError where it is missing."""
    if importlib.util.find_spec("ray") is None:
        raise HostError("a fleet needs the package ray, which is not installed", cure="pip install 'aipg[fleet]'")
    os.environ.update(_ENVIRONMENT | environment)
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if _is_loopback(listen.ip):
        os.environ[_LOOPBACK_STAYS] = "0"
    return importlib.import_module("ray")


def _init() -> Mapping[str, Any]:
    return {"include_dashboard": False, "log_to_driver": False, "configure_logging": False,
            "object_store_memory": _STORE_BYTES}


@contextlib.contextmanager
def _opening() -> Any:
    """Ray's token and logs are for this user alone; what it raises becomes ours."""
    before = os.umask(0o077)
    try:
        yield
    except HostError:
        raise
    except Exception as error:
        raise HostError("Ray could not be started: {why}", why=f"{type(error).__name__}: {str(error)[:300]}",
                        cure="Check the addresses, and that all nodes have the same ~/.ray/auth_token") from error
    finally:
        os.umask(before)


def answers(where: Endpoint) -> bool:
    """Whether somebody listens there."""
    try:
        with socket.create_connection((where.ip, where.port), timeout=1.0):
            return True
    except OSError:
        return False


def _is_ours(ip: str) -> bool:
    """Whether it is an address of this machine. (Ray would find its own by looking towards a public server.)"""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((ip, 0))
            return True
        except OSError:
            return False


def _is_loopback(ip: str) -> bool:
    return ipaddress.ip_address(ip).is_loopback
