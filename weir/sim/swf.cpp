#include "weir/sim/swf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weir/sim/reserve.hpp"
#include "weir/sim/text_number.hpp"

namespace weir::sim {
namespace {

constexpr std::size_t field_count = 18;
constexpr std::array<std::string_view, field_count> field_names = {"job",
                                                                   "submit",
                                                                   "wait",
                                                                   "run",
                                                                   "used processors",
                                                                   "used CPU time",
                                                                   "used memory",
                                                                   "requested processors",
                                                                   "requested time",
                                                                   "requested memory",
                                                                   "status",
                                                                   "user",
                                                                   "group",
                                                                   "application",
                                                                   "queue",
                                                                   "partition",
                                                                   "preceding job",
                                                                   "think time"};

// Thirty thousand years: a time beyond is a damaged line, and milliseconds still fit 64 bits.
constexpr std::int64_t longest_s = 1'000'000'000'000;
constexpr std::uint64_t jobs_max = 100'000'000;

struct Record {
    std::int64_t job = 0;
    std::int64_t submit = 0;
    std::int64_t run = 0;
    std::int64_t used = 0;
    std::int64_t requested = 0;
    std::int64_t limit = 0;
    std::int64_t user = 0;
    std::int64_t group = 0;
};

bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && is_blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back()))
        text.remove_suffix(1);
    return text;
}

Result<Record> read_record(std::string_view line, const LineReader& reader) {
    std::array<std::int64_t, field_count> field;
    const char* at = line.data();
    const char* const end = at + line.size();
    for (std::size_t i = 0; i < field_count; ++i) {
        while (at != end && is_blank(*at))
            ++at;
        if (at == end) {
            return fail(Code::invalid,
                        fmt::format("{}: a job line with {}; it needs {}, the last of them "
                                    "'{}' (-1 where unknown)",
                                    reader.here(),
                                    format_count(i, "field"),
                                    field_count,
                                    field_names.back()));
        }
        const char* const begin = at;
        // Nearly every field is a short whole number: read while the digits last.
        const bool negative = *at == '-';
        if (negative) ++at;
        const char* const digits = at;
        std::int64_t sum = 0;
        while (at != end && *at >= '0' && *at <= '9' && at - digits < 18) {
            sum = sum * 10 + (*at++ - '0');
        }
        if (at != digits && (at == end || is_blank(*at))) {
            field[i] = negative ? -sum : sum;
            continue;
        }
        while (at != end && !is_blank(*at))
            ++at;
        const std::string_view text(begin, static_cast<std::size_t>(at - begin));
        if (!parse_cut(text, field[i])) {
            return fail(Code::invalid,
                        fmt::format("{}: field {} ({}) is {}; a number is needed, -1 where "
                                    "unknown",
                                    reader.here(),
                                    i + 1,
                                    field_names[i],
                                    shown(text)));
        }
    }
    for (const std::size_t i : {std::size_t{1}, std::size_t{3}, std::size_t{8}}) {
        if (field[i] > longest_s || field[i] < -longest_s) {
            return fail(Code::invalid,
                        fmt::format("{}: field {} ({}) is {} s; at most {} are valid",
                                    reader.here(),
                                    i + 1,
                                    field_names[i],
                                    field[i],
                                    longest_s));
        }
    }
    return Record{field[0], field[1], field[3], field[4], field[7], field[8], field[11], field[12]};
}

using Header = std::map<std::string, std::string, std::less<>>;

// The number a header value starts with, where it is one above zero: logs write "128", "-1" and
// "1152 (288 nodes of 4)".
std::optional<std::int64_t> header_number(const Header& header, std::string_view key) {
    const auto found = header.find(key);
    if (found == header.end()) return std::nullopt;
    std::int64_t value = 0;
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || value <= 0) return std::nullopt;
    return value;
}

struct Machine {
    std::int64_t processors = 0;
    std::string note;  // "" when the log says it itself
};

Result<Machine> machine_of(const Header& header,
                           const std::vector<Record>& records,
                           const std::string& path) {
    Machine machine;
    if (const auto processors = header_number(header, "MaxProcs")) {
        machine.processors = *processors;
    } else if (const auto nodes = header_number(header, "MaxNodes")) {
        machine.processors = *nodes;
        machine.note = fmt::format(
            "the header has no MaxProcs: MaxNodes, {}, is taken as the number of processors",
            *nodes);
    } else {
        for (const Record& record : records) {
            machine.processors = std::max({machine.processors, record.used, record.requested});
        }
        machine.note = fmt::format(
            "the header has neither MaxProcs nor MaxNodes: the widest job, {} processors, is "
            "taken as the machine",
            machine.processors);
    }
    constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max() - 1;
    if (machine.processors < 1 || machine.processors > most) {
        return fail(Code::invalid,
                    fmt::format("{}: a machine of {} processors; 1 to {} are valid",
                                path,
                                machine.processors,
                                most));
    }
    return machine;
}

// Numbers of users and groups to positions in Trace::names.
class Names {
public:
    Names(std::string prefix, std::vector<std::string>& names)
        : prefix_(std::move(prefix)), names_(names) {}

    std::uint32_t position(std::int64_t number) {
        if (number < 0) return unknown_name;
        if (number == last_number_) return last_;
        const auto [found, added] =
            positions_.try_emplace(number, static_cast<std::uint32_t>(names_.size()));
        if (added) names_.push_back(prefix_ + std::to_string(number));
        last_number_ = number;
        last_ = found->second;
        return last_;
    }

private:
    std::string prefix_;
    std::vector<std::string>& names_;
    std::unordered_map<std::int64_t, std::uint32_t> positions_;
    std::int64_t last_number_ = -1;
    std::uint32_t last_ = unknown_name;
};

// "R1: 8 jobs dropped: ..."; nothing when no job was touched.
void add_note(std::vector<std::string>& notes,
              std::string_view rule,
              std::uint64_t count,
              std::string_view done,
              std::string_view why) {
    if (count == 0) return;
    notes.push_back(fmt::format("{}: {} {}: {}", rule, format_count(count, "job"), done, why));
}

std::string text_of(std::int64_t number) {
    std::array<char, 24> digits;
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    return {digits.data(), end};
}

void clean(const std::vector<Record>& records, std::int64_t processors, Trace& trace) {
    std::uint64_t too_wide = 0, sizes_missing = 0, size_taken = 0, no_run = 0, no_limit = 0,
                  early = 0, cut = 0;
    Names users("user-", trace.names);
    Names groups("group-", trace.names);
    trace.jobs.reserve(records.size());
    for (const Record& record : records) {
        if (record.used > processors || record.requested > processors) {
            ++too_wide;
            continue;
        }
        if (record.used <= 0 && record.requested <= 0) {
            ++sizes_missing;
            continue;
        }
        if (record.run <= 0) {
            ++no_run;
            continue;
        }
        if (record.limit <= 0) {
            ++no_limit;
            continue;
        }
        if (record.submit < 0) {
            ++early;
            continue;
        }
        if (record.requested <= 0) ++size_taken;
        if (record.run > record.limit) ++cut;
        TraceJob job;
        job.id = text_of(record.job);
        job.user = users.position(record.user);
        job.group = groups.position(record.group);
        job.submitted_at = at_seconds(record.submit);
        job.run = seconds(std::min(record.run, record.limit));
        job.limit = seconds(record.limit);
        job.chips =
            static_cast<std::uint32_t>(record.requested > 0 ? record.requested : record.used);
        trace.jobs.push_back(std::move(job));
    }
    const auto earlier = [](const TraceJob& a, const TraceJob& b) {
        return a.submitted_at < b.submitted_at;
    };
    if (!std::is_sorted(trace.jobs.begin(), trace.jobs.end(), earlier)) {
        std::stable_sort(trace.jobs.begin(), trace.jobs.end(), earlier);
        trace.notes.emplace_back("the log was not in order of submission: it was sorted");
    }
    add_note(trace.notes,
             "R1",
             too_wide,
             "dropped",
             fmt::format("wider than the machine of {} processors",
                         format_count(static_cast<std::uint64_t>(processors))));
    add_note(
        trace.notes, "R2", sizes_missing, "dropped", "neither used nor requested processors known");
    add_note(trace.notes,
             "R2",
             size_taken,
             "kept with the used processors",
             "requested processors unknown");
    add_note(trace.notes, "R3", no_run, "dropped", "run time zero or unknown");
    add_note(trace.notes, "R4", no_limit, "dropped", "requested time zero or unknown");
    add_note(trace.notes, "R4", early, "dropped", "submitted before the zero of the log");
    add_note(trace.notes, "R5", cut, "cut to the requested time", "ran longer than requested");
}

fleet::Fleet fleet_of(std::int64_t processors) {
    fleet::Pool pool;
    pool.name = "processors";
    pool.site = "machine";
    pool.chip = "processor";
    pool.nodes = static_cast<std::uint32_t>(processors);
    pool.chips_per_node = 1;
    fleet::Fleet fleet;
    fleet.sites.push_back({.name = "machine"});
    fleet.pools.push_back(std::move(pool));
    return fleet;
}

}  // namespace

Result<Trace> read_swf(LineReader& reader,
                       const std::string& name,
                       const std::function<void(double)>& progress) {
    Header header;
    std::vector<Record> records;
    std::string_view line;
    for (;;) {
        WEIR_TRY(const bool more, reader.next(line));
        if (!more) break;
        if (progress && reader.line_number() % 8192 == 0) progress(reader.share_read());
        while (!line.empty() && is_blank(line.front()))
            line.remove_prefix(1);
        if (line.empty()) continue;
        if (line.front() == ';') {
            const std::size_t colon = line.find(':');
            if (colon == std::string_view::npos) continue;
            // The first of several equal keys counts.
            header.try_emplace(std::string(trim(line.substr(1, colon - 1))),
                               trim(line.substr(colon + 1)));
            continue;
        }
        WEIR_TRY(const Record record, read_record(line, reader));
        if (records.size() == jobs_max) {
            return fail(Code::too_large,
                        fmt::format("{}: more than {} jobs; that is the limit for one log",
                                    reader.here(),
                                    format_count(jobs_max)));
        }
        if (records.size() == 4096) reserve_by_share(records, reader.share_read());
        records.push_back(record);
    }
    if (records.empty()) {
        return fail(Code::invalid,
                    fmt::format("{}: no jobs in {} lines; a job is a line of {} numbers",
                                reader.name(),
                                format_count(reader.line_number()),
                                field_count));
    }
    WEIR_TRY(Machine machine, machine_of(header, records, reader.name()));
    Trace trace;
    trace.name = name;
    trace.classic = true;
    trace.fleet = fleet_of(machine.processors);
    if (!machine.note.empty()) trace.notes.push_back(std::move(machine.note));
    if (const auto zero = header_number(header, "UnixStartTime"); zero && *zero < longest_s) {
        trace.zero_utc = at_seconds(*zero);
    }
    clean(records, machine.processors, trace);
    if (trace.jobs.empty()) {
        return fail(Code::invalid,
                    fmt::format("{}: none of its {} jobs can be replayed ({})",
                                reader.name(),
                                format_count(records.size()),
                                fmt::join(trace.notes, "; ")));
    }
    if (progress) progress(1.0);
    return trace;
}

}  // namespace weir::sim
