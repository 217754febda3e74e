// The probe: how fast this machine's processors really are, measured.
//
// A rate is the best of at least five products of two random matrices (zeros would flatter the
// chip), over all CPUs that we may use, by whichever implementation is fastest here: OpenBLAS for
// FP64 and FP32, oneDNN for BF16 and INT8 when they are installed, kernels of our own otherwise.
// An INT8 implementation counts only if it is exact: it is compared with integer arithmetic on
// random full-range and extreme data, because libraries exist that saturate silently on
// processors without VNNI. Everything that was tried is recorded, with what it was and what the
// machine was doing meanwhile.
//
// The libraries are opened in a child process: their threads and their faults stay there.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/time.hpp"

namespace weir::exec {

struct MeasuredRate {
    std::string name;  // "fp64", "fp32", "bf16", "int8", "memory"
    std::string unit;  // "FLOP/s", "OP/s", "B/s"
    double best = 0;
    double median = 0;
    std::uint32_t runs = 0;
    std::uint64_t size = 0;      // n of n x n matrices; elements of an array for "memory"
    std::string implementation;  // "OpenBLAS 0.3.21 cblas_dgemm", "weir avx2"
    bool exact = true;           // false: wrong results were seen, so the rate is not offered
};

struct ProbeRecord {
    std::map<std::string, std::string> identity;  // what makes it another machine when it changes
    Time measured_at{};
    double seconds = 0;       // that it took
    double load_average = 0;  // before it began: over the number of CPUs, rates are too low
    std::uint32_t threads = 0;
    std::vector<MeasuredRate> rates;       // one for each name: the best exact implementation
    std::vector<MeasuredRate> candidates;  // all that were tried
    std::string int8_exactness;            // one sentence

    [[nodiscard]] const MeasuredRate* rate(const std::string& name) const;
};

struct ProbeOptions {
    std::vector<std::string> openblas = {"libopenblas.so.0"};
    std::vector<std::string> onednn = {"libdnnl.so.2", "libdnnl.so.3"};
    std::uint32_t threads = 0;        // 0 = all CPUs that we may use
    double seconds_each = 0.5;        // for each implementation
    Duration patience = seconds(60);  // the child is killed after that
};

// Measures now.
Result<ProbeRecord> measure(const ProbeOptions& options = {});

// From data_dir/probe.json when it was measured on this very machine, else measures and stores.
struct Rates {
    ProbeRecord record;
    bool reused = false;
};
Result<Rates> measured_rates(const std::string& data_dir, const ProbeOptions& options = {});

// Processor, CPUs, caches, versions of the libraries and of the probe.
std::map<std::string, std::string> machine_identity(const ProbeOptions& options);

std::string probe_to_json(const ProbeRecord& record);
Result<ProbeRecord> probe_from_json(const std::string& json);

}  // namespace weir::exec
