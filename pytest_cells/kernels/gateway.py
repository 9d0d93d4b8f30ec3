"""A Jupyter gateway: what `GatewayKernelManager` of jupyter_server leaves out. Needs jupyter_server."""

from __future__ import annotations

import contextlib
import json
from threading import Thread
from typing import Any

import websocket
from jupyter_client.client import KernelClient
from jupyter_server.gateway.gateway_client import GatewayClient, gateway_request
from jupyter_server.gateway.managers import GatewayKernelClient, GatewayKernelManager
from jupyter_server.services.kernels.connection.base import deserialize_binary_message
from jupyter_server.utils import url_path_join
from tornado.escape import url_escape

from pytest_cells.errors import KernelError
from pytest_cells.kernels.waiting import REQUEST_S, wait_for_call

CLOSE_S = 3.0
"""How long a gateway may take to take note of our leaving."""
from_binary: Any = deserialize_binary_message


class AuthorizedClient(GatewayKernelClient):
    """A gateway's client that says who it is, and that neither silence nor bytes part from its kernel.

    jupyter_server's own (2.21) sends no token with the websocket, gives up after 40 s in which nothing comes or
    when a message has binary buffers, and waits without a limit for the end of its thread.
    """

    channel_socket: Any
    response_router: Any
    _channel_queues: Any

    async def start_channels(self, **channels: bool) -> None:  # type: ignore[override]  # asynchronous, as its base is
        """Connect, and start to listen."""
        settings: Any = GatewayClient.instance()
        url = url_path_join(settings.ws_url, settings.kernels_endpoint, url_escape(self.kernel_id), "channels")
        ssl = {"ca_certs": settings.ca_certs, "certfile": settings.client_cert, "keyfile": settings.client_key}
        headers = settings.load_connection_args().get("headers", {})
        self.channel_socket = websocket.create_connection(
            url, timeout=settings.KERNEL_LAUNCH_TIMEOUT, header=headers, enable_multithread=True, sslopt=ssl
        )
        KernelClient.start_channels(self, **channels)
        self.response_router = Thread(target=self._route_responses, daemon=True)
        self.response_router.start()

    def stop_channels(self) -> None:
        """Disconnect, whether or not the gateway still answers."""
        self._channels_stopped = True
        if self.channel_socket is not None:
            with contextlib.suppress(Exception):
                self.channel_socket.settimeout(CLOSE_S)
                self.channel_socket.send_close()
            self.channel_socket.abort()
        if self.response_router is not None:
            self.response_router.join(CLOSE_S)
            self.channel_socket.shutdown()

    def _route_responses(self) -> None:
        try:
            while not self._channels_stopped:
                with contextlib.suppress(websocket.WebSocketTimeoutException):  # a cell may be silent for long
                    told = self.channel_socket.recv()
                    if not told:
                        break
                    message = from_binary(told) if isinstance(told, bytes) else json.loads(told)
                    self._channel_queues[message["channel"]].put_nowait(message)
        except Exception as error:  # the connection is lost: whoever waits is told
            self.log.debug("%s: %s", type(error).__name__, error)
        finally:
            for queue in self._channel_queues.values():
                queue.response_router_finished = True


def prepare(manager: Any) -> None:
    """Let a gateway's manager make clients of ours, unless it has one of its own. Raises KernelError."""
    if not GatewayClient.instance().gateway_enabled:
        hint = "set it to the gateway's address before pytest starts"
        raise KernelError(f"JUPYTER_GATEWAY_URL is not set, so there is no gateway to start kernels\n  {hint}")
    if isinstance(manager, GatewayKernelManager) and manager.client_factory is GatewayKernelClient:
        manager.client_factory = AuthorizedClient


def busy(error: Exception) -> bool:
    """Tell whether a gateway answered that it cannot do something now: a kernel that it restarts, it cannot end."""
    return getattr(error, "status_code", None) == 500


def explain(error: Exception, name: str) -> str | None:
    """Say why a gateway did not start a kernel, where that can be known."""
    url, status = GatewayClient.instance().url, getattr(error, "status_code", None)
    if status in (401, 403):
        return f"the gateway {url} refused it (HTTP {status})\n  set JUPYTER_GATEWAY_AUTH_TOKEN to its token"
    if status in (503, 599):
        return f"the gateway {url} does not answer\n  check JUPYTER_GATEWAY_URL, and that the gateway is running"
    with contextlib.suppress(Exception):  # then what the gateway itself said must do
        known = sorted(wait_for_call(_kernelspecs, REQUEST_S))
        if name not in known:
            hint = "install it there, or choose one with --cells-kernel NAME"
            return f"the gateway {url} has no such kernel\n  it has: {', '.join(known)}; {hint}"
    return None


async def _kernelspecs() -> list[str]:
    settings: Any = GatewayClient.instance()
    answer = await gateway_request(url_path_join(settings.url, settings.kernelspecs_endpoint), method="GET")
    return list(json.loads(answer.body)["kernelspecs"])
