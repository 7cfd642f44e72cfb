"""Write a full-size file of an official format, read it, and tell the time and the peak of memory.

The files have the structure of the official ones and made-up contents; NAS-Bench-201's are made of real networks where
a folder with files of NATS-Bench's `-simple` archive is given. Run, for instance,

    python benchmarks/official_files.py nas-bench-201 --records FOLDER --folder /tmp

Writing NAS-Bench-201's `.pth` takes 5 GB of disk, which are freed at the end.
"""

import argparse
import base64
import bz2
import io
import json
import pickle
import resource
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numba import njit

from epsinas.sources.pickles import load
from epsinas.sources.tfrecords import masked_crc32c
from epsinas.spaces import NasBench101, NasBench201, NasBenchNLP

NETWORKS = {"nas-bench-201": 15_625, "nats-bench": 15_625, "nas-bench-101": 423_624, "nas-bench-nlp": 14_322}
SEEDS = ((2_225, [888]), (5_439, [777, 888]), (7_961, [777, 888, 999]))
"""Networks of NAS-Bench-201 with one, two and three trainings of 200 epochs."""
FOUR_BYTES = 65_535
"""The largest integer that a pickle has in fewer than four bytes."""
SETS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("ori-test", "x-valid", "x-test"),
    "ImageNet16-120": ("ori-test", "x-valid", "x-test"),
}


# NAS-Bench-201: a network's record, real or made up.


def made_up_trial(dataset: str, seed: int, epochs: int, rng: np.random.Generator) -> dict[str, Any]:
    """One training as the benchmark keeps it: curves of training, and of evaluation at every epoch or at the last."""
    curve = dict(enumerate(rng.uniform(10, 90, epochs).tolist()))
    names = SETS[dataset]
    every = [name for name in names if epochs == 12 or name == "x-valid"]
    keys = [f"{name}@{epoch}" for name in every for epoch in range(epochs)]
    keys += [f"{name}@{epochs - 1}" for name in names if name not in every]
    timed = [f"{name}@{epoch}" for name in names for epoch in range(epochs)]
    return {
        "name": dataset,
        "train_acc1es": curve,
        "train_acc5es": curve.copy(),
        "train_losses": curve.copy(),
        "train_times": dict.fromkeys(range(epochs), 12.5),
        "arch_config": {"channel": 16, "num_cells": 5, "class_num": 10},
        "params": np.float64(0.8),
        "flop": 113.95,
        "seed": f"{seed:04d}",
        "epochs": epochs,
        "latency": [np.float64(0.016)],
        "eval_names": list(names),
        "eval_acc1es": dict(zip(keys, rng.uniform(10, 90, len(keys)).tolist(), strict=True)),
        "eval_times": dict.fromkeys(timed, 1.5),
        "eval_losses": dict(zip(keys, rng.uniform(0, 3, len(keys)).tolist(), strict=True)),
        "net_state_dict": None,
    }


def made_up_record(index: int, rng: np.random.Generator) -> dict[str, Any]:
    """A network of NATS-Bench, with three trainings of 200 epochs on each data set."""
    record = {}
    for key, epochs in (("12", 12), ("200", 200)):
        seeds = {dataset: [777, 888, 999] if epochs == 200 else [111] for dataset in SETS}
        if epochs == 12:
            seeds["cifar10-valid"] = [111, 777]
        record[key] = {
            "arch_index": index,
            "arch_str": "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|",
            "all_results": {
                (dataset, seed): made_up_trial(dataset, seed, epochs, rng)
                for dataset, of_set in seeds.items()
                for seed in of_set
            },
            "dataset_seed": seeds,
            "clear_net_done": True,
        }
    return record


def templates(folder: Path | None) -> list[dict[str, Any]]:
    """Networks to repeat: those of a folder of NATS-Bench's files, or one that is made up."""
    if folder is None:
        return [made_up_record(0, np.random.default_rng(0))]
    paths = sorted(folder.glob("[0-9]*.pickle.pbz2"))
    return [load(io.BytesIO(bz2.decompress(path.read_bytes())), name=path.name) for path in paths]


def with_seeds(record: dict[str, Any], seeds: list[int]) -> dict[str, Any]:
    """A network as NAS-Bench-201's own file has it: with only some of the trainings of 200 epochs."""
    full = record["200"] | {
        "all_results": {key: trial for key, trial in record["200"]["all_results"].items() if key[1] in seeds},
        "dataset_seed": dict.fromkeys(SETS, seeds),
    }
    return {"full": full, "less": record["12"]}


# NAS-Bench-201's `.pth`: one pickle of one memo, network after network.


def interned(item: Any) -> Any:
    """The same object with texts that are equal made one, but for the keys of curves, as in the official file."""
    if isinstance(item, dict):
        return type(item)((interned(key), interned(value)) for key, value in item.items())
    if isinstance(item, (list, tuple)):
        return type(item)(map(interned, item))
    return sys.intern(item) if isinstance(item, str) and "@" not in item else item


class Referring(pickle._Pickler):
    """A pickler that refers to texts that it is told of by their number in another pickle's memo.

    The reference is a persistent identifier, an integer of four bytes, which `renumber` turns into the number.
    """

    def __init__(self, file: BinaryIO, known: dict[str, int]):
        super().__init__(file, protocol=2)
        self._known = known

    def persistent_id(self, item: Any) -> int | None:
        """Return the number of a text."""
        return self._known[item] + 1 + FOUR_BYTES if type(item) is str and item in self._known else None


@njit
def renumber(data, offset, out):  # type: ignore[no-untyped-def]
    """Write a pickle's opcodes, without its first and last, as part of a larger one whose memo has `offset` entries.

    Returns the bytes written and the entries of the memo. Opcodes are told by their arguments' widths.
    """
    at, written, memo, end = 2, 0, 0, data.size - 1
    while at < end:
        opcode, start = data[at], at
        at += 1
        if opcode in (113, 114, 104, 106):  # BINPUT, LONG_BINPUT, BINGET, LONG_BINGET
            width = 1 if opcode in (113, 104) else 4
            number = 0
            for place in range(width):
                number |= data[at + place] << (8 * place)
            at += width
            memo += opcode in (113, 114)
            out[written] = 114 if opcode in (113, 114) else 106
            for place in range(4):
                out[written + 1 + place] = ((number + offset) >> (8 * place)) & 255
            written += 5
            continue
        if opcode == 74 and data[at + 4] == 81:  # BININT, BINPERSID: a reference to the first network's memo
            number = (data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24) - 1 - FOUR_BYTES
            out[written] = 106
            for place in range(4):
                out[written + 1 + place] = (number >> (8 * place)) & 255
            written += 5
            at += 5
            continue
        if opcode == 88:  # BINUNICODE
            at += 4 + (data[at] | data[at + 1] << 8)
        elif opcode == 99:  # GLOBAL
            for _ in range(2):
                while data[at] != 10:
                    at += 1
                at += 1
        elif opcode == 71:  # BINFLOAT
            at += 8
        elif opcode == 74:  # BININT
            at += 4
        elif opcode == 77:  # BININT2
            at += 2
        elif opcode == 75:  # BININT1
            at += 1
        out[written : written + at - start] = data[start:at]
        written += at - start
    return written, memo


def write_pth(path: Path, count: int, records: list[dict[str, Any]]) -> None:
    """Write a file like `NAS-Bench-201-v1_1-096897.pth`."""
    names = list(islice(cycle(NasBench201().architectures()), count))
    variants = [[interned(with_seeds(record, seeds)) for record in records] for _, seeds in SEEDS]
    share = [number * count / NETWORKS["nas-bench-201"] for number, _ in SEEDS]
    which = np.random.default_rng(0).choice(len(SEEDS), count, p=np.array(share) / count)
    with open(path, "wb") as file:
        for content in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            file.write(pickle.dumps(content, protocol=2))
        head = pickle.dumps({"meta_archs": names, "total_archs": count, "basestr": "infer.tiny"}, protocol=2)
        memo = memo_of(head)
        file.write(head[:-2])  # without SETITEMS and STOP
        file.write(text("arch2infos") + put(memo) + b"}" + put(memo + 1))
        memo += 2
        plain = pickled(variants[0][0], {})
        known = {item: number + memo for item, number in texts_of(variants[0][0]).items()}
        pickles = [[pickled(record, known) for record in of_seeds] for of_seeds in variants]
        out = np.empty(3 * max(item.size for items in pickles for item in items) + 16, dtype=np.uint8)
        for index in range(count):
            content = plain if index == 0 else pickles[which[index]][index % len(records)]
            if index % 1000 == 0:
                file.write(b"(" if index == 0 else b"u(")
            file.write(b"J" + struct.pack("<i", index))
            written, entries = renumber(content, memo, out)
            memo += entries
            file.write(out[:written].data)
        numbers = b"".join(b"J" + struct.pack("<i", index) for index in range(count))
        file.write(b"u" + text("evaluated_indexes") + put(memo) + b"c__builtin__\nset\n" + put(memo + 1))
        file.write(b"]" + put(memo + 2) + b"(" + numbers + b"e\x85" + put(memo + 3) + b"R" + put(memo + 4) + b"u.")
        file.write(pickle.dumps([], protocol=2))


def text(content: str) -> bytes:
    """The opcode of a text."""
    return b"X" + struct.pack("<I", len(content)) + content.encode()


def put(number: int) -> bytes:
    """The opcode that puts an object into the memo."""
    return b"r" + struct.pack("<I", number)


def pickled(record: dict[str, Any], known: dict[str, int]) -> np.ndarray:
    """A network's pickle, which refers to the texts in `known`."""
    file = io.BytesIO()
    Referring(file, known).dump(record)
    return np.frombuffer(file.getvalue(), dtype=np.uint8)


def texts_of(record: dict[str, Any]) -> dict[str, int]:
    """The numbers in its memo of a network's texts, but for the keys of curves."""
    file = io.BytesIO()
    pickler = Referring(file, {})
    pickler.dump(record)
    return {item: number for number, item in pickler.memo.values() if isinstance(item, str) and "@" not in item}


def memo_of(content: bytes) -> int:
    """The entries of a pickle's memo."""
    unpickler = pickle.Unpickler(io.BytesIO(content))
    unpickler.load()
    return len(unpickler.memo.copy())  # type: ignore[attr-defined]


# The other files.


def write_tar(path: Path, count: int, records: list[dict[str, Any]]) -> None:
    """Write a file like `NATS-tss-v1_0-3ffb9-simple.tar`."""
    names = list(islice(cycle(NasBench201().architectures()), count))
    packed = [bz2.compress(pickle.dumps(record, protocol=4)) for record in records]
    with tarfile.open(path, "w") as archive:
        meta = {"meta_archs": names, "total_archs": count, "arch2infos": None, "evaluated_indexes": set()}
        members = {"meta": bz2.compress(pickle.dumps(meta, protocol=4))}
        for name, content in (members | {f"{i:06d}": packed[i % len(packed)] for i in range(count)}).items():
            entry = tarfile.TarInfo(f"NATS-tss-v1_0-3ffb9-simple/{name}.pickle.pbz2")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def write_tfrecord(path: Path, count: int, _: object) -> None:
    """Write a file like `nasbench_only108.tfrecord`: three trainings of each network."""
    space = NasBench101()

    def field(number: int, value: float) -> bytes:
        return bytes([number << 3 | 1]) + struct.pack("<d", value)

    def metrics(valid: float) -> str:
        evaluations = b""
        for epoch in (0.0, 54.0, 108.0):
            body = b"".join(field(number, value) for number, value in enumerate((epoch, 9.0, 0.9, valid, valid), 1))
            evaluations += bytes([0x0A, len(body)]) + body
        return base64.encodebytes(evaluations + b"\x10\x8a\x98\x8a\x04" + field(3, 2000.0)).decode()

    with open(path, "wb") as file:
        for index, architecture in enumerate(islice(space.architectures(), count)):
            matrix, operations = architecture.split(":")
            name = space.graph_hash(architecture)
            for run in range(3):
                row = [name, 108, matrix, operations, metrics(0.5 + (index + run) % 400 / 1000)]
                content = json.dumps(row).encode()
                length = struct.pack("<Q", len(content))
                checks = [struct.pack("<I", masked_crc32c(part)) for part in (length, content)]
                file.write(length + checks[0] + content + checks[1])


def write_logs(path: Path, count: int, _: object) -> None:
    """Write a file like `train_logs_single_run.zip`: a training of 50 epochs of each network."""
    recipes = NasBenchNLP().sample(min(count, 500), np.random.default_rng(0))
    losses = np.linspace(7, 5, 50).tolist()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, recipe in enumerate(islice(cycle(recipes), count)):
            log = {
                "data": "data/ptb",
                "recepie_id": index,
                "epochs": 50,
                "recepie": recipe,
                "experiment_id": index,
                "init_time": "2020-04-28_17-16-54",
                "num_params": 5_000_000,
                "wall_times": losses,
                "train_losses": losses,
                "val_losses": losses,
                "test_losses": losses,
                "status": "OK",
            }
            archive.writestr(f"logs/log_stats_model_{index}_2020-04-28_17-16-54_{index}.json", json.dumps(log))


# Measuring.


def read(name: str, path: Path) -> tuple[int, float, float, float]:
    """Read a file in this process: networks, seconds, CPU seconds, and the process's peak of memory in GB."""
    from epsinas.sources import nas_bench_101, nas_bench_201, nas_bench_nlp

    readers: dict[str, Callable] = {
        "nas-bench-201": nas_bench_201.read_nas_bench_201,
        "nats-bench": nas_bench_201.read_nats_bench,
        "nas-bench-101": lambda path: nas_bench_101.read_nas_bench_101(path, verified=True),
        "nas-bench-nlp": lambda path: nas_bench_nlp.read_nas_bench_nlp([path]),
    }
    start, cpu = time.perf_counter(), time.process_time()
    tables = readers[name](path)
    seconds = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9  # kilobytes on Linux
    return len(tables.architectures), *seconds, peak


def main() -> None:
    """Write, read, and print a line for each format."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("format", nargs="*", choices=[*NETWORKS, []], help="formats; all where none is named")
    parser.add_argument("--share", type=float, default=1.0, help="of the networks; 1 is the full size")
    parser.add_argument("--records", type=Path, help="folder of files of NATS-Bench's -simple archive")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary one otherwise")
    parser.add_argument("--read", type=Path, help="read this file only, of one format")
    arguments = parser.parse_args()
    if arguments.read:
        print(json.dumps(read(arguments.format[0], arguments.read)))
        return
    write = {
        "nas-bench-201": write_pth,
        "nats-bench": write_tar,
        "nas-bench-101": write_tfrecord,
        "nas-bench-nlp": write_logs,
    }
    print(f"{'format':14} {'networks':>9} {'GB':>6} {'seconds':>8} {'CPU':>7} {'peak GB':>8}")
    for name in arguments.format or NETWORKS:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            path = Path(folder) / name
            write[name](path, round(arguments.share * NETWORKS[name]), templates(arguments.records))
            # In a process of its own, whose peak is the reader's.
            command = [sys.executable, __file__, name, "--read", str(path)]
            count, *seconds, peak = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
            size = path.stat().st_size / 1e9
            print(f"{name:14} {count:9,} {size:6.2f} {seconds[0]:8.1f} {seconds[1]:7.1f} {peak:8.2f}", flush=True)


if __name__ == "__main__":
    main()
