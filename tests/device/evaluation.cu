// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Evaluations in the order of streams: captured in a graph and replayed, side by side on two streams, several at once.
#include "check.cuh"
#include <algorithm>
#include <tuple>

namespace attend::device_tests {
namespace {

using namespace attend::dims;
using namespace attend::literals;

void must(cudaError_t status, char const* call) { codegen::detail::check(status, call); }

/// A stream that waits for no other.
struct own_stream {
  cudaStream_t it = nullptr;
  own_stream() { must(cudaStreamCreateWithFlags(&it, cudaStreamNonBlocking), "cudaStreamCreateWithFlags"); }
  own_stream(own_stream const&) = delete;
  ~own_stream() { static_cast<void>(cudaStreamDestroy(it)); }
};

/// What a stream was asked for between making this and done(), to be launched as often as one likes.
struct capture {
  own_stream const& on;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t ready = nullptr;

  explicit capture(own_stream const& on) : on(on) { must(cudaStreamBeginCapture(on.it, cudaStreamCaptureModeGlobal), "cudaStreamBeginCapture"); }
  capture(capture const&) = delete;
  ~capture() {
    if (!graph) static_cast<void>(cudaStreamEndCapture(on.it, &graph)); // an evaluation threw
    if (ready) static_cast<void>(cudaGraphExecDestroy(ready));
    if (graph) static_cast<void>(cudaGraphDestroy(graph));
  }
  /// The kinds of its nodes.
  std::vector<cudaGraphNodeType> done() {
    must(cudaStreamEndCapture(on.it, &graph), "cudaStreamEndCapture");
    must(cudaGraphInstantiate(&ready, graph, 0), "cudaGraphInstantiate");
    std::size_t count = 0;
    must(cudaGraphGetNodes(graph, nullptr, &count), "cudaGraphGetNodes");
    std::vector<cudaGraphNode_t> nodes(count);
    must(cudaGraphGetNodes(graph, nodes.data(), &count), "cudaGraphGetNodes");
    std::vector<cudaGraphNodeType> types(count);
    for (std::size_t i = 0; i < count; ++i) must(cudaGraphNodeGetType(nodes[i], &types[i]), "cudaGraphNodeGetType");
    return types;
  }
  void launch() const {
    must(cudaGraphLaunch(ready, on.it), "cudaGraphLaunch");
    must(cudaStreamSynchronize(on.it), "cudaStreamSynchronize");
  }
};

void expect(bool good, char const* what, char const* why) {
  ++(good ? passed : failures);
  if (!good) std::printf("FAILED %s: %s\n", what, why);
}

/// f of what `make` draws, captured in a graph of kernels alone - of so many, where that is known - and replayed after
/// the operands in device memory have been replaced by others.
template <class F, class Make>
void captured(char const* what, F const& f, Make const& make, std::size_t kernels = 0) {
  guarded(what, [&] {
    auto const first = make(), second = make();
    auto operands = std::apply([](auto const&... x) { return std::make_tuple(copy_to(cuda, x)...); }, first);
    auto const expr = std::apply(f, operands);
    auto out = evaluate(expr); // the matrix library's handle is made here: a capture takes no allocation
    auto const forget = [&] { must(cudaMemset(out.data(), 0xff, static_cast<std::size_t>(out.size()) * sizeof(*out.data())), "cudaMemset"); };
    must(cudaDeviceSynchronize(), "cudaDeviceSynchronize");

    own_stream const stream;
    cuda_workspace const workspace(1 << 20);
    capture graph(stream);
    evaluate(on(stream.it, workspace), into(out), expr);
    auto const nodes = graph.done();
    expect(std::all_of(nodes.begin(), nodes.end(), [](auto type) { return type == cudaGraphNodeTypeKernel; }), what, "the graph holds more than kernels");
    expect(kernels == 0 || nodes.size() == kernels, what, "the graph holds another number of kernels");

    forget();
    must(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    graph.launch();
    judge(what, std::apply(f, first), out);

    auto const replace = [](auto& to, auto const& from) {
      must(cudaMemcpy(to.data(), from.data(), static_cast<std::size_t>(from.size()) * sizeof(*from.data()), cudaMemcpyDefault), "cudaMemcpy");
    };
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (replace(std::get<I>(operands), std::get<I>(second)), ...);
    }(std::make_index_sequence<std::tuple_size_v<decltype(make())>>{});
    forget();
    must(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    graph.launch();
    judge(what, std::apply(f, second), out);
  });
}

/// Products and what reads them on two streams in turn, nothing waited for in between; buffers in the streams' order.
void two_streams() {
  guarded("two streams", [] {
    struct side {
      own_stream stream;
      decltype(normal<f16>(s = 1, d = 32_c)) q = normal<f16>(s = 190, d = 32_c);
      decltype(normal<f16>(t = 1, d = 32_c)) k = normal<f16>(t = 230, d = 32_c);
      decltype(copy_to(cuda, q)) dq = copy_to(cuda, q);
      decltype(copy_to(cuda, k)) dk = copy_to(cuda, k);
      decltype(uninitialized<f16, cuda>(s = 1, t = 1)) scores = uninitialized<f16, cuda>(s = 190, t = 230), rows = uninitialized<f16, cuda>(s = 190, t = 230);
      decltype(uninitialized<f16, cuda>(s = 1, d = 32_c)) out = uninitialized<f16, cuda>(s = 190, d = 32_c);
    };
    side sides[2];
    for (int turn = 0; turn < 10; ++turn)
      for (side& x : sides) {
        evaluate(on(x.stream.it), into(x.scores), x.dq * transpose(x.dk) / 6);
        evaluate(on(x.stream.it), into(x.rows), softmax(sigmoid(x.dq * transpose(x.dk)) * 2) + x.scores);
        evaluate(on(x.stream.it), into(x.out), softmax(x.dq * transpose(x.dk) / 6) * x.dk);
      }
    for (side& x : sides) {
      must(cudaStreamSynchronize(x.stream.it), "cudaStreamSynchronize");
      auto const scores = copy_to(host, x.scores);
      judge("two streams: a product", x.q * transpose(x.k) / 6, x.scores);
      judge("two streams: rows of the one before", softmax(sigmoid(x.q * transpose(x.k)) * 2) + scores, x.rows);
      judge("two streams: attention", softmax(x.q * transpose(x.k) / 6) * x.k, x.out);
    }
  });
}

void several_results() {
  guarded("several results", [] {
    auto const q = normal<bf16>(b = 2, s = 150, d = 64_c);
    auto const k = normal<bf16>(b = 2, t = 137, d = 64_c);
    auto const dq = copy_to(cuda, q);
    auto const dk = copy_to(cuda, k);
    auto const on_device = masked(dq * transpose(dk) / 8, keep(causal(s, t)));
    auto const on_host = masked(q * transpose(k) / 8, keep(causal(s, t)));
    auto const [o, w, l] = evaluate(softmax(on_device) * dk, softmax(on_device), logsumexp(on_device));
    judge("several results: attention", softmax(on_host) * k, o);
    judge("several results: weights", softmax(on_host), w);
    judge("several results: log-sum-exps", logsumexp(on_host), l);
  });
}

} // namespace
} // namespace attend::device_tests

int main(int arguments, char** argument) {
  using namespace attend;
  using namespace attend::dims;
  using namespace attend::literals;
  using namespace attend::device_tests;
  return run(arguments, argument, [] {
    auto const operands = [] { return std::make_tuple(normal<bf16>(n = 2, s = 150, d = 64_c), normal<bf16>(n = 2, t = 137, d = 64_c)); };
    captured("graph of attention", [](auto const& q, auto const& k) { return softmax(masked(q * transpose(k) / 8, keep(causal(s, t)))) * k; }, operands, 1);
    captured("graph of a product and its rows", [](auto const& q, auto const& k) { return softmax(sigmoid(q * transpose(k)) * 2); }, operands);
    captured("graph of a pass", [](auto const& q, auto const& k) { return exp(q) + sum(k, t); }, operands);
    two_streams();
    several_results();
  });
}
