"""The runs that are open on one engine, and which of them a tool call belongs to."""

from __future__ import annotations

from ._context import Frame, frame_here
from ._core.model import Reason
from ._core.run import Run
from ._core.tool import Tool


class OpenRuns:
    """The frames of the runs that record now. With `adopt`, a call from an unknown thread may join the only one."""

    __slots__ = ("_adopt", "_engine", "frames")

    def __init__(self, engine: object, adopt: bool) -> None:
        self._engine = engine
        self._adopt = adopt
        self.frames: set[Frame] = set()

    def enter(self, run: Run | None) -> Frame:
        """A frame for a run; a run inside another's agent makes that one unlearnable for now (G6)."""
        outer = frame_here.get()
        if outer is not None and outer.recording and outer.run is not None:
            outer.run.recorder.problem(
                Reason.NESTED_RUN, "the agent called an engine itself; runs with runs inside are not learned yet"
            )
        return Frame(self._engine, run)

    def record(self, frame: Frame) -> None:
        """From here on the tool calls of this frame's run are recorded."""
        frame.recording = True
        self.frames.add(frame)

    def leave(self, frame: Frame) -> None:
        """The run is over; calls that come later are not its own."""
        frame.recording = False
        self.frames.discard(frame)
        if frame.run is not None:
            frame.run.recorder.closed = True

    def stray(self, tool: Tool) -> Frame | None:
        """A call with no run here while some record: from a thread that contextvars did not reach (C9)."""
        frames = [frame for frame in list(self.frames) if frame.run is not None and not frame.run.recorder.closed]
        if self._adopt and len(frames) == 1 and frames[0].run is not None and not frames[0].run.recorder.open:
            return frames[0]
        for frame in frames:
            if frame.run is not None:
                frame.run.recorder.problem(
                    Reason.INCOMPLETE_THREADS,
                    f"{tool.name} was called from a thread that belongs to no run; wrap the thread's function: "
                    "threading.Thread(target=engine.bind(fn))",
                    tool.name,
                )
        return None
