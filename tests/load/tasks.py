"""Thousands of clients in one thread: generators over one epoll set.

A task yields (events, seconds): it goes on when its socket is ready (True is sent into it) or that time is over (False). With events 0 it
only lets time pass. While one thread runs them all, a task must not wait in any other way.
"""

import heapq
import itertools
import select
import time

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
EVENTS = 256


class Tasks:
    def __init__(self):
        self.epoll = select.epoll()
        self.sockets = {}  # number of the descriptor: (task, the wait that it is in)
        self.times = []    # a heap of (when, order, task, the wait that it is in)
        self.order = itertools.count()

    def start(self, client):
        """`client` has run(), which makes the generator, and `socket`, which may change while it runs."""
        task = Task(self, client)
        heapq.heappush(self.times, (time.monotonic(), next(self.order), task, task.waits))

    def turn(self):
        """Lets everybody go on who can, having waited for a tenth of a second at the most."""
        wait = max(0, min(0.1, self.times[0][0] - time.monotonic())) if self.times else 0.1
        for number, _ in self.epoll.poll(wait, EVENTS):
            task, waits = self.sockets.get(number, (None, 0))
            if task is not None:
                task.go_on(waits, True)
        now = time.monotonic()
        while self.times and self.times[0][0] <= now:
            _, _, task, waits = heapq.heappop(self.times)
            task.go_on(waits, False)


class Task:
    def __init__(self, tasks, client):
        self.tasks, self.client = tasks, client
        self.generator = client.run()
        self.value = None
        self.waits = 0  # counts; what was set up for an earlier wait is void

    def go_on(self, waits, value):
        if waits != self.waits:
            return
        self.waits += 1
        try:
            events, seconds = self.generator.send(value if waits else None)
        except StopIteration:
            return
        if events:
            self.watch(events)
        heapq.heappush(self.tasks.times, (time.monotonic() + seconds, next(self.tasks.order), self, self.waits))

    def watch(self, events):
        """A descriptor that was closed has left the epoll set by itself, and its number may be another's by now."""
        number = self.client.socket.fileno()
        try:
            self.tasks.epoll.modify(number, events | select.EPOLLONESHOT)
        except FileNotFoundError:
            self.tasks.epoll.register(number, events | select.EPOLLONESHOT)
        self.tasks.sockets[number] = (self, self.waits)
