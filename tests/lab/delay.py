"""A TCP proxy that delays, as a distance would; it also counts round trips."""

from __future__ import annotations

import asyncio
import threading
from typing import Literal, Self

Direction = Literal["up", "down"]

_CHUNK = 256 * 1024


class Delay:
    """Leads from a port of the loopback to a server, and delays all that passes.

    A context manager. It runs in a thread with an event loop of its own.

    Args:
        address: of the server.
        port: of the server.
        round_trip: seconds; each direction takes half of it.
        listen: our own address.
    """

    def __init__(
        self, address: str, port: int, round_trip: float, listen: str = "127.0.0.1"
    ) -> None:
        self._target = address, port
        self._half = round_trip / 2
        self._listen = listen
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="delay")
        self._server: asyncio.Server
        self._writers: set[asyncio.StreamWriter] = set()
        self._last: Direction = "down"
        self.round_trips = 0
        """How often the client spoke after it had heard something, and was answered."""
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._listen, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        if serving := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(serving)

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            server, forth = await asyncio.open_connection(*self._target)
        except OSError:
            back.close()
            return
        self._writers |= {forth, back}
        await asyncio.gather(self._pass(client, forth, "up"), self._pass(server, back, "down"))
        self._writers -= {forth, back}

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, direction: Direction
    ) -> None:
        """Deliver each chunk half a round trip after it came, in order."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def read() -> None:
            data = b"-"
            while data:
                try:
                    data = await source.read(_CHUNK)
                except OSError:
                    data = b""
                queue.put_nowait((self._loop.time() + self._half, data))

        await asyncio.gather(read(), self._deliver(queue, sink, direction))

    async def _deliver(
        self,
        queue: asyncio.Queue[tuple[float, bytes]],
        sink: asyncio.StreamWriter,
        direction: Direction,
    ) -> None:
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            if not data:
                sink.close()
                return
            self._count(direction)
            sink.write(data)

    def _count(self, direction: Direction) -> None:
        if direction == "down" and self._last == "up":
            self.round_trips += 1
        self._last = direction
