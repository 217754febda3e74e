// Each implementation is calibrated on a small product, then given the largest size of which five
// runs fit into its time; so a loaded or slow machine is measured on smaller matrices rather than
// for longer.
#include "weir/exec/probe_measure.hpp"

#include <dlfcn.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "weir/base/random.hpp"
#include "weir/exec/gemm_kernels.hpp"
#include "weir/exec/int8_exactness.hpp"
#include "weir/exec/wall_clock.hpp"

namespace weir::exec {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::uint32_t runs_least = 5;
constexpr std::uint32_t runs_most = 50;
constexpr std::uint64_t sizes[] = {64, 128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096};

double seconds_of(const std::function<void()>& work) {
    const auto before = SteadyClock::now();
    work();
    return std::chrono::duration<double>(SteadyClock::now() - before).count();
}

void fill(std::vector<double>& all, Random& random) {
    for (double& x : all)
        x = random.unit() - 0.5;
}
void fill(std::vector<float>& all, Random& random) {
    for (float& x : all)
        x = static_cast<float>(random.unit() - 0.5);
}
void fill(std::vector<std::uint16_t>& all, Random& random) {
    for (std::uint16_t& x : all)
        x = to_bf16(static_cast<float>(random.unit() - 0.5));
}
void fill(std::vector<std::int8_t>& all, Random& random) {
    for (std::int8_t& x : all)
        x = static_cast<std::int8_t>(random.between(-128, 127));
}

void settle(MeasuredRate& rate, double work, std::vector<double>& times) {
    std::sort(times.begin(), times.end());
    rate.runs = static_cast<std::uint32_t>(times.size());
    rate.best = work / times.front();
    rate.median = work / times[times.size() / 2];
}

template <class In, class Out>
using Product = std::function<bool(std::size_t n, const In* a, const In* b, Out* c)>;

// False when the implementation refuses on this machine.
template <class In, class Out>
bool measure_product(MeasuredRate& rate, double budget_s, const Product<In, Out>& product) {
    Random random(1);
    std::vector<In> a;
    std::vector<In> b;
    std::vector<Out> c;
    const auto prepare = [&](std::uint64_t n) {
        a.resize(n * n);
        b.resize(n * n);
        c.assign(n * n, Out{});
        fill(a, random);
        fill(b, random);
    };
    const auto cube = [](std::uint64_t n) {
        return 2.0 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n);
    };
    bool accepted = true;
    const auto once = [&](std::uint64_t n) {
        return seconds_of([&] { accepted = product(n, a.data(), b.data(), c.data()) && accepted; });
    };
    std::uint64_t n = sizes[0];
    double speed = 0;
    for (const std::uint64_t next : sizes) {
        if (speed > 0 && cube(next) / speed * runs_least > budget_s) break;
        n = next;
        prepare(n);
        once(n);  // warms caches and starts threads
        if (!accepted) return false;
        speed = std::max(speed, cube(n) / once(n));
    }
    std::vector<double> times;
    double spent = 0;
    while (times.size() < runs_least || (spent < budget_s && times.size() < runs_most)) {
        times.push_back(once(n));
        spent += times.back();
    }
    rate.size = n;
    settle(rate, cube(n), times);
    return accepted;
}

void measure_triad(ProbeRecord& record, const ProbeOptions& options, Isa isa) {
    // Four times the last cache each, so that it cannot help, within reason: what sysconf says of
    // a virtual machine's cache may be that of its whole host.
    const long cache = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
    const long memory = ::sysconf(_SC_PHYS_PAGES) * ::sysconf(_SC_PAGESIZE);
    const long bytes = std::min({std::max(4 * cache, 64L << 20), 160L << 20, memory / 48});
    const auto count = static_cast<std::size_t>(bytes) / sizeof(double);
    // Not vectors: their pages would all be touched by one thread, and so lie on one NUMA node.
    const std::unique_ptr<double[]> a(new double[count]);
    const std::unique_ptr<double[]> b(new double[count]);
    const std::unique_ptr<double[]> c(new double[count]);
    triad(isa, record.threads, count, b.get(), b.get(), b.get(), 0);
    triad(isa, record.threads, count, c.get(), c.get(), c.get(), 0);
    triad(isa, record.threads, count, a.get(), b.get(), c.get(), 3.0);

    MeasuredRate rate;
    rate.name = "memory";
    rate.unit = "B/s";
    rate.size = count;
    rate.implementation = "weir " + std::string(name_of(isa)) + " triad";
    std::vector<double> times;
    double spent = 0;
    while (times.size() < runs_least ||
           (spent < options.seconds_each && times.size() < runs_most)) {
        times.push_back(
            seconds_of([&] { triad(isa, record.threads, count, a.get(), b.get(), c.get(), 3.0); }));
        spent += times.back();
    }
    settle(rate, 24.0 * static_cast<double>(count), times);
    record.candidates.push_back(std::move(rate));
}

void* open_first(const std::vector<std::string>& candidates) {
    for (const std::string& name : candidates) {
        if (void* const handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) return handle;
    }
    return nullptr;
}

template <class Function>
Function* find(void* library, const char* name) {
    return library == nullptr ? nullptr : reinterpret_cast<Function*>(::dlsym(library, name));
}

// ---- OpenBLAS: the C interface of BLAS, 101 = row-major, 111 = not transposed ------------------

using Dgemm = void(int,
                   int,
                   int,
                   int,
                   int,
                   int,
                   double,
                   const double*,
                   int,
                   const double*,
                   int,
                   double,
                   double*,
                   int);
using Sgemm = void(
    int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);

void measure_openblas(ProbeRecord& record, const ProbeOptions& options) {
    void* const library = open_first(options.openblas);
    auto* const dgemm = find<Dgemm>(library, "cblas_dgemm");
    auto* const sgemm = find<Sgemm>(library, "cblas_sgemm");
    auto* const config = find<char*()>(library, "openblas_get_config");
    auto* const core = find<char*()>(library, "openblas_get_corename");
    auto* const set_threads = find<void(int)>(library, "openblas_set_num_threads");
    if (set_threads != nullptr) set_threads(static_cast<int>(record.threads));
    // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...": its first two words.
    std::string version = config != nullptr ? config() : "OpenBLAS";
    version = version.substr(0, version.find(' ', version.find(' ') + 1));
    if (core != nullptr) version += std::string(" (") + core() + ")";
    if (dgemm != nullptr) {
        MeasuredRate rate;
        rate.name = "fp64";
        rate.unit = "FLOP/s";
        rate.implementation = version + " cblas_dgemm";
        const bool ran = measure_product<double, double>(
            rate,
            options.seconds_each,
            [&](std::size_t size, const double* a, const double* b, double* c) {
                const int n = static_cast<int>(size);
                dgemm(101, 111, 111, n, n, n, 1.0, a, n, b, n, 0.0, c, n);
                return true;
            });
        if (ran) record.candidates.push_back(rate);
    }
    if (sgemm != nullptr) {
        MeasuredRate rate;
        rate.name = "fp32";
        rate.unit = "FLOP/s";
        rate.implementation = version + " cblas_sgemm";
        const bool ran = measure_product<float, float>(
            rate,
            options.seconds_each,
            [&](std::size_t size, const float* a, const float* b, float* c) {
                const int n = static_cast<int>(size);
                sgemm(101, 111, 111, n, n, n, 1.0F, a, n, b, n, 0.0F, c, n);
                return true;
            });
        if (ran) record.candidates.push_back(rate);
    }
}

// ---- oneDNN: row-major, 'N' = not transposed; status 0 = done ----------------------------------

using S8s8s32 = int(char,
                    char,
                    char,
                    std::int64_t,
                    std::int64_t,
                    std::int64_t,
                    float,
                    const std::int8_t*,
                    std::int64_t,
                    std::int8_t,
                    const std::int8_t*,
                    std::int64_t,
                    std::int8_t,
                    float,
                    std::int32_t*,
                    std::int64_t,
                    const std::int32_t*);
using Bf16bf16f32 = int(char,
                        char,
                        std::int64_t,
                        std::int64_t,
                        std::int64_t,
                        float,
                        const std::uint16_t*,
                        std::int64_t,
                        const std::uint16_t*,
                        std::int64_t,
                        float,
                        float*,
                        std::int64_t);

struct DnnlVersion {
    int major;
    int minor;
    int patch;
    const char* hash;
    unsigned cpu_runtime;
    unsigned gpu_runtime;
};

void measure_onednn(ProbeRecord& record, const ProbeOptions& options) {
    void* const library = open_first(options.onednn);
    auto* const int8 = find<S8s8s32>(library, "dnnl_gemm_s8s8s32");
    auto* const bf16 = find<Bf16bf16f32>(library, "dnnl_gemm_bf16bf16f32");
    auto* const version_of = find<const DnnlVersion*()>(library, "dnnl_version");
    std::string version = "oneDNN";
    if (version_of != nullptr) {
        const DnnlVersion& v = *version_of();
        version += " " + std::to_string(v.major) + "." + std::to_string(v.minor) + "." +
                   std::to_string(v.patch);
    }
    if (int8 != nullptr) {
        const auto product = [int8](std::size_t m,
                                    std::size_t n,
                                    std::size_t k,
                                    const std::int8_t* a,
                                    const std::int8_t* b,
                                    std::int32_t* c) {
            const auto whole = [](std::size_t x) { return static_cast<std::int64_t>(x); };
            const std::int32_t offset = 0;
            return int8('N',
                        'N',
                        'F',
                        whole(m),
                        whole(n),
                        whole(k),
                        1.0F,
                        a,
                        whole(k),
                        0,
                        b,
                        whole(n),
                        0,
                        0.0F,
                        c,
                        whole(n),
                        &offset) == 0;
        };
        MeasuredRate rate;
        rate.name = "int8";
        rate.unit = "OP/s";
        rate.implementation = version + " dnnl_gemm_s8s8s32";
        const std::string errors = int8_errors(product);
        rate.exact = errors.empty();
        record.int8_exactness +=
            rate.implementation + ": " + (rate.exact ? "exact" : errors) + "; ";
        const bool ran = measure_product<std::int8_t, std::int32_t>(
            rate,
            options.seconds_each,
            [&](std::size_t n, const std::int8_t* a, const std::int8_t* b, std::int32_t* c) {
                return product(n, n, n, a, b, c);
            });
        if (ran) record.candidates.push_back(rate);
    }
    if (bf16 != nullptr) {
        MeasuredRate rate;
        rate.name = "bf16";
        rate.unit = "FLOP/s";
        rate.implementation = version + " dnnl_gemm_bf16bf16f32";
        const bool ran = measure_product<std::uint16_t, float>(
            rate,
            options.seconds_each,
            [&](std::size_t size, const std::uint16_t* a, const std::uint16_t* b, float* c) {
                const auto n = static_cast<std::int64_t>(size);
                return bf16('N', 'N', n, n, n, 1.0F, a, n, b, n, 0.0F, c, n) == 0;
            });
        if (ran) record.candidates.push_back(rate);
    }
}

// ---- Our own -----------------------------------------------------------------------------------

template <class In, class Out>
void measure_own(ProbeRecord& record,
                 const ProbeOptions& options,
                 Isa isa,
                 const char* name,
                 const char* remark) {
    MeasuredRate rate;
    rate.name = name;
    rate.unit = rate.name == "int8" ? "OP/s" : "FLOP/s";
    rate.implementation = "weir " + std::string(name_of(isa)) + remark;
    const unsigned threads = record.threads;
    measure_product<In, Out>(
        rate, options.seconds_each, [&](std::size_t n, const In* a, const In* b, Out* c) {
            gemm(isa, threads, Shape{n, n, n}, a, b, c);
            return true;
        });
    record.candidates.push_back(std::move(rate));
}

bool has(const ProbeRecord& record, const std::string& name) {
    return std::any_of(record.candidates.begin(),
                       record.candidates.end(),
                       [&](const MeasuredRate& rate) { return rate.name == name && rate.exact; });
}

}  // namespace

std::uint32_t usable_cpus() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) > 0) {
        return static_cast<std::uint32_t>(CPU_COUNT(&allowed));
    }
    return std::max(1u, std::thread::hardware_concurrency());
}

ProbeRecord measure_here(const ProbeOptions& options) {
    ProbeRecord record;
    record.threads = options.threads != 0 ? options.threads : usable_cpus();
    record.measured_at = wall_now();
    double load[1] = {0};
    if (::getloadavg(load, 1) == 1) record.load_average = load[0];
    // Read by OpenMP when oneDNN is opened. Waiting threads shall sleep: on a machine that is
    // busy with other things, spinning ones would measure only each other.
    ::setenv("OMP_NUM_THREADS", std::to_string(record.threads).c_str(), 1);
    ::setenv("OMP_WAIT_POLICY", "passive", 1);
    const Isa isa = best_isa();
    record.seconds = seconds_of([&] {
        measure_openblas(record, options);
        measure_onednn(record, options);
        if (!has(record, "fp64")) measure_own<double, double>(record, options, isa, "fp64", "");
        if (!has(record, "fp32")) measure_own<float, float>(record, options, isa, "fp32", "");
        if (!has(record, "bf16")) {
            measure_own<std::uint16_t, float>(record, options, isa, "bf16", ", widened to fp32");
        }
        if (!has(record, "int8")) {
            const std::string errors = int8_errors([&](std::size_t m,
                                                       std::size_t n,
                                                       std::size_t k,
                                                       const std::int8_t* a,
                                                       const std::int8_t* b,
                                                       std::int32_t* c) {
                gemm(isa, record.threads, Shape{m, n, k}, a, b, c);
                return true;
            });
            measure_own<std::int8_t, std::int32_t>(record, options, isa, "int8", "");
            record.candidates.back().exact = errors.empty();
            record.int8_exactness += record.candidates.back().implementation + ": " +
                                     (errors.empty() ? "exact" : errors) + "; ";
        }
        measure_triad(record, options, isa);
    });
    if (!record.int8_exactness.empty()) {
        record.int8_exactness.resize(record.int8_exactness.size() - 2);
    }
    for (const char* const name : {"fp64", "fp32", "bf16", "int8", "memory"}) {
        const MeasuredRate* best = nullptr;
        for (const MeasuredRate& rate : record.candidates) {
            if (rate.name == name && rate.exact && (best == nullptr || rate.best > best->best)) {
                best = &rate;
            }
        }
        if (best != nullptr) record.rates.push_back(*best);
    }
    return record;
}

}  // namespace weir::exec
