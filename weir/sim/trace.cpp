#include "weir/sim/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "weir/sim/gpu_csv.hpp"
#include "weir/sim/line_reader.hpp"
#include "weir/sim/sidecar.hpp"
#include "weir/sim/swf.hpp"

namespace weir::sim {
namespace {

bool ends_with_ignoring_case(std::string_view text, std::string_view end) {
    if (text.size() < end.size()) return false;
    text.remove_prefix(text.size() - end.size());
    for (std::size_t i = 0; i < end.size(); ++i) {
        const char c = text[i];
        if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) != end[i]) return false;
    }
    return true;
}

Result<void> add_sidecar(const std::string& stem, const std::string& variant, Trace& trace) {
    const std::string path = stem + ".cluster.json";
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) {
        if (!variant.empty()) {
            return fail(Code::not_found,
                        fmt::format("{}: not found, and variants of a machine stand there", path));
        }
        trace.notes.push_back(fmt::format(
            "{} not found: the machine is not known and has to be given as a fleet", path));
        return {};
    }
    WEIR_TRY(Sidecar sidecar, read_sidecar(path, trace.name, variant));
    trace.fleet = std::move(sidecar.fleet);
    trace.quotas_chips = std::move(sidecar.quotas_chips);
    trace.zero_utc = sidecar.zero_utc;
    return {};
}

}  // namespace

bool Trace::has_classes() const {
    return std::any_of(jobs.begin(), jobs.end(), [&](const TraceJob& job) {
        return job.priority != jobs.front().priority;
    });
}

std::uint32_t TraceJob::*Trace::tenant() const {
    for (std::uint32_t TraceJob::*const who : {&TraceJob::group, &TraceJob::user}) {
        const auto named = [who](const TraceJob& job) { return job.*who != unknown_name; };
        if (std::any_of(jobs.begin(), jobs.end(), named)) return who;
    }
    return nullptr;
}

Result<Trace> read_trace(const std::string& path, const TraceOptions& options) {
    constexpr std::array<std::string_view, 2> packed_endings = {".gz", ""};
    for (const std::string_view packed : packed_endings) {
        for (const std::string_view format : {".swf", ".csv"}) {
            const std::string ending = fmt::format("{}{}", format, packed);
            if (!ends_with_ignoring_case(path, ending)) continue;
            const std::string stem = path.substr(0, path.size() - ending.size());
            const std::string name = stem.substr(stem.find_last_of('/') + 1);
            WEIR_TRY(LineReader reader, LineReader::open(path));
            if (format == ".swf") {
                if (!options.variant.empty()) {
                    return fail(Code::invalid,
                                fmt::format("{}: no variant '{}'; only a CSV trace with a sidecar "
                                            "has variants",
                                            path,
                                            options.variant));
                }
                return read_swf(reader, name, options.progress);
            }
            WEIR_TRY(Trace trace, read_gpu_csv(reader, name, options.progress));
            WEIR_CHECK(add_sidecar(stem, options.variant, trace));
            return trace;
        }
    }
    return fail(Code::invalid,
                fmt::format("{}: the format of a log follows from its name, and this one is not "
                            "known; valid endings: .swf, .swf.gz, .csv, .csv.gz",
                            path));
}

}  // namespace weir::sim
