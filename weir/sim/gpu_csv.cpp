#include "weir/sim/gpu_csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weir/base/schema.hpp"
#include "weir/sim/csv.hpp"
#include "weir/sim/reserve.hpp"
#include "weir/sim/text_number.hpp"

namespace weir::sim {
namespace {

enum Column : std::size_t {
    job_id,
    user,
    group,
    submit_s,
    duration_s,
    req_time_s,
    nodes,
    devices,
    device_share,
    cpus,
    mem_gb,
    chip,
    datasets,
    train,
    precision,
    priority,
    state,
    plan_efficiency,
    kernel_efficiency,
    column_count
};
constexpr std::array<std::string_view, column_count> column_names = {"job_id",
                                                                     "user",
                                                                     "group",
                                                                     "submit_s",
                                                                     "duration_s",
                                                                     "req_time_s",
                                                                     "nodes",
                                                                     "devices",
                                                                     "device_share",
                                                                     "cpus",
                                                                     "mem_gb",
                                                                     "chip",
                                                                     "datasets",
                                                                     "train",
                                                                     "precision",
                                                                     "priority",
                                                                     "state",
                                                                     "plan_efficiency",
                                                                     "kernel_efficiency"};
constexpr std::array needed = {job_id, submit_s, duration_s};
constexpr std::array<std::string_view, 7> states = {
    "COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "RUNNING", "PENDING", "UNKNOWN"};

constexpr std::size_t absent = static_cast<std::size_t>(-1);
constexpr std::int64_t longest_s = 1'000'000'000'000;
constexpr std::uint64_t jobs_max = 100'000'000;

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
        return std::hash<std::string_view>{}(text);
    }
};
using Positions = std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>>;

// Reads one file; the members are what the lines have in common.
class JobReader {
public:
    JobReader(LineReader& lines, Trace& trace) : lines_(lines), records_(lines), trace_(trace) {}

    Result<void> read(const std::function<void(double)>& progress);

private:
    Result<void> read_header();
    void note_slips(const std::vector<std::string>& unread);
    void note_repeated_ids();
    Result<void> read_job();
    [[nodiscard]] Result<std::optional<tenancy::Efficiency>> read_efficiency() const;

    [[nodiscard]] std::string_view text(Column column) const {
        return place_[column] == absent ? std::string_view{} : fields_[place_[column]];
    }
    [[nodiscard]] tl::unexpected<Error> wrong(Column column, std::string_view valid) const {
        return fail(Code::invalid,
                    fmt::format("{}: {} is {}; {}",
                                records_.here(),
                                column_names[column],
                                shown(text(column)),
                                valid));
    }
    // A whole number in [least, most], or nothing where the field is empty.
    Result<std::optional<std::int64_t>> whole(Column column,
                                              std::int64_t least,
                                              std::int64_t most) const;
    // A number in [0, most], or nothing where the field is empty.
    Result<std::optional<double>> number(Column column, double most) const;
    std::uint32_t name_position(std::string_view name);
    std::uint32_t set_position(std::string_view names,
                               Positions& known,
                               std::vector<std::vector<std::string>>& sets);

    LineReader& lines_;
    CsvReader records_;
    Trace& trace_;
    std::array<std::size_t, column_count> place_{};
    std::size_t header_fields_ = 0;
    std::vector<std::string_view> fields_;
    Positions names_;
    Positions chip_sets_;
    Positions data_sets_;
    Positions trainings_;
    std::vector<std::uint64_t> lines_of_jobs_;
    std::uint64_t never_started_ = 0;
    std::uint64_t cut_ = 0;
};

Result<void> JobReader::read_header() {
    WEIR_TRY(const bool any, records_.next(fields_));
    if (!any) {
        return fail(Code::invalid,
                    fmt::format("{}: an empty file; the first line names the columns, at least {}",
                                lines_.name(),
                                "job_id, submit_s, duration_s"));
    }
    header_fields_ = fields_.size();
    place_.fill(absent);
    std::vector<std::string> unread;
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        std::string_view title = fields_[i];
        if (i == 0 && title.substr(0, 3) == "\xEF\xBB\xBF") title.remove_prefix(3);
        const auto found = std::find(column_names.begin(), column_names.end(), title);
        if (found == column_names.end()) {
            unread.emplace_back(title);
            continue;
        }
        std::size_t& place = place_[static_cast<std::size_t>(found - column_names.begin())];
        if (place != absent) {
            return fail(
                Code::invalid,
                fmt::format(
                    "{}: two columns {}; each name may stand once", records_.here(), shown(title)));
        }
        place = i;
    }
    for (const Column column : needed) {
        if (place_[column] != absent) continue;
        return fail(Code::invalid,
                    fmt::format("{}: no column '{}'; the first line names the columns, of which "
                                "job_id, submit_s and duration_s are needed",
                                records_.here(),
                                column_names[column]));
    }
    note_slips(unread);
    return {};
}

// Logs have columns of their own, which are ignored; but one that is nearly called like a column
// which is missing was meant to be it.
void JobReader::note_slips(const std::vector<std::string>& unread) {
    std::vector<std::string_view> missing;
    for (std::size_t column = 0; column < column_count; ++column)
        if (place_[column] == absent) missing.push_back(column_names[column]);
    for (const std::string& title : unread) {
        const auto meant = schema::nearest(title, missing);
        if (!meant) continue;
        trace_.notes.push_back(fmt::format("{}: column {} is not read (did you mean '{}'?)",
                                           records_.here(),
                                           shown(title),
                                           *meant));
    }
}

// Some logs count anew after a restart, so this is no error; but each line is a job.
void JobReader::note_repeated_ids() {
    std::vector<std::pair<std::size_t, std::uint32_t>> by_hash;  // and position
    by_hash.reserve(trace_.jobs.size());
    for (std::uint32_t i = 0; i < trace_.jobs.size(); ++i)
        by_hash.emplace_back(std::hash<std::string>{}(trace_.jobs[i].id), i);
    const auto id = [this](const auto& entry) -> const std::string& {
        return trace_.jobs[entry.second].id;
    };
    std::sort(by_hash.begin(), by_hash.end(), [&](const auto& a, const auto& b) {
        if (a.first != b.first) return a.first < b.first;
        const int order = id(a).compare(id(b));
        return order != 0 ? order < 0 : a.second < b.second;
    });
    std::uint64_t repeated = 0;
    std::pair<std::uint32_t, std::uint32_t> first;  // the second one, and the one before it
    for (std::size_t i = 1; i < by_hash.size(); ++i) {
        const auto& before = by_hash[i - 1];
        const auto& here = by_hash[i];
        if (here.first != before.first || id(here) != id(before)) continue;
        if (repeated++ == 0 || here.second < first.first) first = {here.second, before.second};
    }
    if (repeated == 0) return;
    trace_.notes.push_back(
        fmt::format("job_id {} stands in line {} and again in line {}{}: each line is taken for a "
                    "job of its own",
                    shown(trace_.jobs[first.first].id),
                    lines_of_jobs_[first.second],
                    lines_of_jobs_[first.first],
                    repeated == 1 ? ""
                                  : fmt::format(", and {} more {} one",
                                                format_count(repeated - 1, "line"),
                                                repeated == 2 ? "repeats" : "repeat")));
}

Result<std::optional<std::int64_t>> JobReader::whole(Column column,
                                                     std::int64_t least,
                                                     std::int64_t most) const {
    const std::string_view field = text(column);
    std::int64_t value = 0;
    if (field.empty()) return std::optional<std::int64_t>{};
    if (!parse_cut(field, value) || value < least || value > most || field.front() == '-') {
        return wrong(
            column,
            fmt::format(
                "a number from {} to {} is needed{}",
                least,
                most,
                column == submit_s || column == duration_s ? "" : ", empty where not known"));
    }
    return std::optional<std::int64_t>{value};
}

Result<std::optional<double>> JobReader::number(Column column, double most) const {
    const std::string_view field = text(column);
    double value = 0;
    if (field.empty()) return std::optional<double>{};
    if (!parse_number(field, value) || value < 0 || value > most) {
        return wrong(column,
                     fmt::format("a number from 0 to {} is needed, empty where not known", most));
    }
    return std::optional<double>{value};
}

std::uint32_t JobReader::name_position(std::string_view name) {
    if (name.empty()) return unknown_name;
    const auto found = names_.find(name);
    if (found != names_.end()) return found->second;
    const auto position = static_cast<std::uint32_t>(trace_.names.size());
    trace_.names.emplace_back(name);
    names_.emplace(name, position);
    return position;
}

// "a|b": where its list stands among `sets`.
std::uint32_t JobReader::set_position(std::string_view names,
                                      Positions& known,
                                      std::vector<std::vector<std::string>>& sets) {
    if (names.empty()) return unknown_name;
    const auto found = known.find(names);
    if (found != known.end()) return found->second;
    std::vector<std::string> set;
    for (std::size_t begin = 0; begin <= names.size();) {
        const std::size_t bar = std::min(names.find('|', begin), names.size());
        const std::string_view one = names.substr(begin, bar - begin);
        if (!one.empty() && std::find(set.begin(), set.end(), one) == set.end()) {
            set.emplace_back(one);
        }
        begin = bar + 1;
    }
    std::uint32_t position = unknown_name;
    if (!set.empty()) {
        position = static_cast<std::uint32_t>(sets.size());
        sets.push_back(std::move(set));
    }
    known.emplace(names, position);
    return position;
}

Result<void> JobReader::read_job() {
    if (fields_.size() != header_fields_) {
        return fail(Code::invalid,
                    fmt::format("{}: {} fields where the first line names {} columns",
                                records_.here(),
                                fields_.size(),
                                header_fields_));
    }
    const std::string_view was = text(state);
    if (!was.empty() && std::find(states.begin(), states.end(), was) == states.end()) {
        return wrong(state, fmt::format("valid are {}, or empty", fmt::join(states, ", ")));
    }
    if (was == "PENDING" && text(duration_s).empty() && text(train).empty()) {
        ++never_started_;
        return {};
    }
    TraceJob job;
    job.id = text(job_id);
    if (job.id.empty()) return wrong(job_id, "every job needs a name");
    WEIR_TRY(const auto submitted, whole(submit_s, 0, longest_s));
    if (!submitted) return wrong(submit_s, "every job needs the second of its submission");
    WEIR_TRY(const auto duration, whole(duration_s, 0, longest_s));
    if (!duration && text(train).empty()) {
        return wrong(duration_s, "every job needs a run time, except those in state PENDING");
    }
    job.submitted_at = at_seconds(*submitted);
    job.run = seconds(duration.value_or(0));
    WEIR_TRY(const auto limit, whole(req_time_s, 1, longest_s));
    if (limit) {
        job.limit = seconds(*limit);
        if (job.run > job.limit) {
            job.run = job.limit;
            ++cut_;
        }
    }
    constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max() - 1;
    WEIR_TRY(const auto node_count, whole(nodes, 0, most));
    job.nodes = static_cast<std::uint32_t>(node_count.value_or(0));
    WEIR_TRY(const auto device_count, whole(devices, 0, most));
    job.chips = static_cast<std::uint32_t>(device_count.value_or(0));
    WEIR_TRY(const auto share, number(device_share, 1));
    if (share && job.chips > 0) {
        const auto permille = static_cast<std::uint32_t>(std::lround(*share * 1000));
        if (permille == 0) return wrong(device_share, "a share is from 0.001 to 1");
        if (permille < 1000 && job.chips > 1) {
            return wrong(
                device_share,
                fmt::format("a share below 1 needs one device, and this job has {}", job.chips));
        }
        job.chip_permille = permille;
    }
    WEIR_TRY(const auto cpu_count, number(cpus, 1e9));
    job.cpus_milli = static_cast<std::uint64_t>(std::llround(cpu_count.value_or(0) * 1000));
    WEIR_TRY(const auto gibibytes_wanted, number(mem_gb, 8e9));
    job.memory = {std::llround(gibibytes_wanted.value_or(0) * 0x1p30)};
    job.user = name_position(text(user));
    job.group = name_position(text(group));
    job.accepts = set_position(text(chip), chip_sets_, trace_.chip_sets);
    job.reads = set_position(text(datasets), data_sets_, trace_.data_sets);
    if (!text(train).empty()) {
        const auto next = static_cast<std::uint32_t>(trace_.trainings.size());
        const auto [known, is_new] = trainings_.emplace(text(train), next);
        if (is_new) trace_.trainings.emplace_back(text(train));
        job.trains = known->second;
        // What it took when the log was written says nothing of what it takes here.
        job.run = {};
        job.limit = forever;
        job.nodes = job.chips = 0;
        job.chip_permille = 1000;
        job.cpus_milli = 0;
        job.memory = {};
    }
    if (!text(precision).empty()) {
        job.precision = catalog::format_from_name(text(precision));
        if (!job.precision) {
            std::vector<std::string_view> valid;
            for (const catalog::Format format : catalog::all_formats())
                valid.push_back(catalog::name_of(format));
            return wrong(precision, fmt::format("valid are {}, or empty", fmt::join(valid, ", ")));
        }
    }
    if (!text(priority).empty()) {
        const auto named = job::priority_from_name(text(priority));
        if (!named) return wrong(priority, "valid are low, normal, high, urgent, or empty");
        job.priority = *named;
    }
    WEIR_TRY(job.efficiency, read_efficiency());
    trace_.jobs.push_back(std::move(job));
    lines_of_jobs_.push_back(records_.line());
    return {};
}

// Of what was measured of a job both are known, or nothing is said.
Result<std::optional<tenancy::Efficiency>> JobReader::read_efficiency() const {
    WEIR_TRY(const auto plan, number(plan_efficiency, 1));
    WEIR_TRY(const auto kernel, number(kernel_efficiency, 1));
    if (!plan && !kernel) return std::optional<tenancy::Efficiency>{};
    if (!plan) return wrong(plan_efficiency, "where kernel_efficiency is given, this is, too");
    if (!kernel) return wrong(kernel_efficiency, "where plan_efficiency is given, this is, too");
    const auto ppm = [](double share) {
        return static_cast<std::uint32_t>(std::lround(share * 1e6));
    };
    return tenancy::Efficiency{.plan_ppm = ppm(*plan), .kernel_ppm = ppm(*kernel)};
}

Result<void> JobReader::read(const std::function<void(double)>& progress) {
    WEIR_CHECK(read_header());
    for (;;) {
        WEIR_TRY(const bool more, records_.next(fields_));
        if (!more) break;
        if (progress && lines_.line_number() % 8192 == 0) progress(lines_.share_read());
        WEIR_CHECK(read_job());
        if (trace_.jobs.size() == 4096) reserve_by_share(trace_.jobs, lines_.share_read());
        if (trace_.jobs.size() > jobs_max) {
            return fail(Code::too_large,
                        fmt::format("{}: more than {} jobs; that is the limit for one log",
                                    records_.here(),
                                    jobs_max));
        }
    }
    if (never_started_ > 0) {
        trace_.notes.push_back(fmt::format("{} dropped: never started (state PENDING, no duration)",
                                           format_count(never_started_, "job")));
    }
    if (cut_ > 0) {
        trace_.notes.push_back(
            fmt::format("{} cut to the requested time: ran longer", format_count(cut_, "job")));
    }
    if (trace_.jobs.empty()) {
        return fail(
            Code::invalid,
            fmt::format(
                "{}: no jobs{}", lines_.name(), never_started_ > 0 ? " that ever started" : ""));
    }
    note_repeated_ids();
    const auto earlier = [](const TraceJob& a, const TraceJob& b) {
        return a.submitted_at < b.submitted_at;
    };
    if (!std::is_sorted(trace_.jobs.begin(), trace_.jobs.end(), earlier)) {
        std::stable_sort(trace_.jobs.begin(), trace_.jobs.end(), earlier);
        trace_.notes.emplace_back("the log was not in order of submission: it was sorted");
    }
    if (progress) progress(1.0);
    return {};
}

}  // namespace

Result<Trace> read_gpu_csv(LineReader& reader,
                           const std::string& name,
                           const std::function<void(double)>& progress) {
    Trace trace;
    trace.name = name;
    WEIR_CHECK(JobReader(reader, trace).read(progress));
    return trace;
}

}  // namespace weir::sim
