"""A trial without the wandb client and without torch: it starts in a tenth of a second, so kills can be tried often.

It speaks the client's protocol, logs one row per step, saves its step as `agent.train` saves its state, and answers
SIGTERM as `agent.train` does: preempting, exit code 1.

Flags: --seed=N --steps=N --pause=SECONDS; --fail=TEXT to print TEXT and fail; --deaf=1 to ignore SIGTERM; --child=1 to
leave a process behind that ignores it too, in a session of its own; --silent=1 to say nothing to the server.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from agent import events
from bench.harness.protocol import ProtocolClient

flags = dict(word[2:].split("=", 1) for word in sys.argv[1:])
run, steps, pause = os.environ["WANDB_RUN_ID"], int(flags.get("steps", 2)), float(flags.get("pause", 0))
url, key, project = (os.environ[f"WANDB_{name}"] for name in ("BASE_URL", "API_KEY", "PROJECT"))
wire = ProtocolClient(url, key, project, os.environ["WANDB_ENTITY"])
saved = Path(os.environ["STEPS"], run)
done = int(saved.read_text()) if saved.exists() else 0


def put_off(number: int, frame: object) -> None:
    wire.stream(run, preempting=True)
    wire.stream(run, complete=True, exitcode=1, preempting=True)
    os._exit(1)


signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in flags else put_off)
if "child" in flags:
    child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
if "silent" in flags:
    sys.exit(0)
config = json.dumps({"seed": {"value": int(flags["seed"])}})
wire.upsert(run, config=config, sweep=os.environ["WANDB_SWEEP_ID"])
print(
    f"trial {run}: seed {flags['seed']}, device {os.environ.get('CUDA_VISIBLE_DEVICES')}, "
    f"threads {os.environ['OMP_NUM_THREADS']}",
    flush=True,
)
if "fail" in flags:
    wire.stream(run, complete=True, exitcode=3)
    print(flags["fail"])
    sys.exit(3)
for step in range(done, steps):
    row = json.dumps({"_step": step, "x": step})
    wire.stream(run, files={"wandb-history.jsonl": {"offset": step, "content": [row]}})
    unfinished = saved.with_suffix(".unfinished")
    unfinished.write_text(str(step + 1))
    unfinished.replace(saved)
    events.emit("epoch", epoch=step + 1, epochs=steps, **{"val/iou": 0.5})
    time.sleep(pause)
wire.stream(run, complete=True, exitcode=0)
with (saved.parent / "finished").open("a") as file:
    file.write(f"{flags['seed']} {run}\n")
events.emit("result", **{"test/iou": 0.5})
