#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times one case at a time by PyTorch on a CUDA device, asked and answering as peers.py.

    gpu_peers.py flash|cudnn|flex [--seconds S]

As for ours, a graph of as many calls as take a millisecond is replayed between two events, so that nobody's host is
measured.
"""
import peers


def device_seconds(work):
    """The time of what is put into the current stream."""
    import torch

    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    work()
    end.record()
    end.synchronize()
    return 1e-3 * begin.elapsed_time(end)


class Repeated:
    """A graph of several calls; calling it replays them."""

    def __init__(self, call):
        import torch

        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # warms up where a capture would
            call()
            call()
            self.calls = min(max(round(1e-3 / device_seconds(call)), 1), 200)
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            for _ in range(self.calls):
                self.result = call()

    def __call__(self):
        self.graph.replay()


def mean_seconds(repeated, seconds):
    """The mean time of a call over replays that take so many seconds, and the number of calls."""
    replays = max(1, round(seconds / device_seconds(repeated)))
    passed = device_seconds(lambda: [repeated() for _ in range(replays)])
    return passed / (replays * repeated.calls), replays * repeated.calls


class Sdpa(peers.PyTorch):
    """scaled_dot_product_attention by one of its backends, for each dtype; also the matrix product that ceilings are."""

    device = "cuda"
    backends: dict  # by dtype

    def prepare(self, case):
        """A graph of the case."""
        import torch
        from torch.nn.attention import SDPBackend, sdpa_kernel

        if case["kind"] == "ceiling":
            x, y = (torch.randn(2 * (case["rows"],), device="cuda").to(torch.bfloat16) for _ in "xy")
            return Repeated(lambda: x @ y)
        if case["dtype"] not in self.backends:
            raise NotImplementedError(case["dtype"])
        call = super().prepare(case)
        try:
            with sdpa_kernel([getattr(SDPBackend, self.backends[case["dtype"]])]):
                return Repeated(call)
        except RuntimeError as error:
            if "No available kernel" in str(error):
                raise NotImplementedError(str(error)) from error
            raise


class Flash(Sdpa):
    """FlashAttention-2; what takes f32 is the memory-efficient kernel."""

    backends = {"bf16": "FLASH_ATTENTION", "f32": "EFFICIENT_ATTENTION"}


class Cudnn(Sdpa):
    """cuDNN's fused attention."""

    backends = {"bf16": "CUDNN_ATTENTION"}

    def __init__(self, threads):
        import torch

        super().__init__(threads)
        self.version = f"cuDNN {torch.backends.cudnn.version()} of {self.version}"


class Flex(peers.Flex):
    """FlexAttention, compiled by Triton."""

    device = "cuda"

    def prepare(self, case):
        """A graph of the case."""
        return Repeated(super().prepare(case))


if __name__ == "__main__":
    peers.main({"flash": Flash, "cudnn": Cudnn, "flex": Flex}, mean_seconds)
