"""The runs that are open on one engine, and which of them a tool call belongs to."""

from __future__ import annotations

import threading

from .._core.model.reason import Reason
from .._core.run.run import Run
from .._core.tools.tool import Tool
from .context import Frame, frame_now, let_go


class OpenRuns:
    """The frames of the runs that record now. With `adopt`, a call from an unknown thread may join the only one.

    `handed` holds the calls that sessions have handed out and not been told the end of: thread and tool.
    """

    __slots__ = ("_adopt", "_runtime", "frames", "handed")

    def __init__(self, runtime: object, adopt: bool) -> None:
        self._runtime = runtime
        self._adopt = adopt
        self.frames: set[Frame] = set()
        self.handed: dict[Frame, tuple[int, Tool]] = {}

    def enter(self, run: Run | None) -> Frame:
        """A frame for a run; a run inside another's agent makes that one unlearnable for now (G6)."""
        outer = frame_now()
        if outer is None:
            return Frame(self._runtime, run)
        if outer.recording and outer.run is not None:
            outer.run.recorder.problem(
                Reason.NESTED_RUN, "the agent called an engine itself; runs with runs inside are not learned yet"
            )
        return Frame(self._runtime, run, outer.run is not None)

    def record(self, frame: Frame) -> None:
        """From here on the tool calls of this frame's run are recorded."""
        frame.recording = True
        self.frames.add(frame)

    def leave(self, frame: Frame) -> None:
        """The run is over; calls that come later are not its own."""
        if frame.recording:
            frame.recording = False
        if self.frames:
            self.frames.discard(frame)
        if frame.held is not None:
            let_go(frame)
        if frame.outside:
            self.handed.pop(frame, None)
        if frame.run is not None and frame.run.made:
            frame.run.close()

    def followed(self) -> set[str]:
        """The trajectories that runs have followed whose agents are at work now."""
        runs = [frame.run for frame in list(self.frames) if frame.run is not None]
        return {run.progress.candidate.trajectory.id for run in runs if run.progress.candidate is not None}

    def hand_out(self, frame: Frame, tool: Tool) -> None:
        """A session's caller makes this call now: what happens meanwhile is inside it."""
        frame.recording = False
        self.handed[frame] = (threading.get_ident(), tool)

    def take_back(self, frame: Frame) -> None:
        """The call has ended; its run records again, if it did."""
        self.handed.pop(frame, None)
        frame.recording = frame in self.frames

    def stray(self, tool: Tool) -> Frame | None:
        """A call with no run here while some record: from a thread that contextvars did not reach (C9).

        Unless it is the call that a session has handed out in this thread.
        """
        here = threading.get_ident()
        handed = list(self.handed.items())
        if any(of == (here, tool) for _, of in handed):
            return None
        inside = {frame for frame, (thread, _) in handed if thread == here}
        frames = [frame for frame in list(self.frames) if frame.run is not None and not frame.run.recorder.closed]
        frames = [frame for frame in frames if frame not in inside]
        if self._adopt and len(frames) == 1 and not frames[0].outside:
            run = frames[0].run
            if run is not None and not run.recorder.open:
                return frames[0]
        for frame in frames:
            if frame.run is None:
                continue
            if frame.outside:
                self.untold(frame.run, tool)
                continue
            frame.run.recorder.problem(
                Reason.INCOMPLETE_THREADS,
                f"{tool.name} was called from a thread that belongs to no run; wrap the thread's function: "
                "threading.Thread(target=engine.bind(fn))",
                tool.name,
            )
        return None

    def untold(self, run: Run, tool: Tool) -> None:
        """A tool was called while a session's agent was at work, and the session knows nothing of it."""
        run.recorder.problem(
            Reason.INCOMPLETE_THREADS,
            f"{tool.name} was called while the agent of a session was at work, and the session was not told; say "
            "session.said([...]), make the calls that session.next() hands out, and keep to the thread of the session "
            "or use it in a `with` block",
            tool.name,
        )
