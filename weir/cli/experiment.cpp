#include "weir/cli/experiment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/print.hpp"

namespace weir::cli {
namespace {

// A number, or (behind it an x) a factor of what there is.
struct Amount {
    double value = 0;
    bool factor = false;
};

std::optional<double> positive_number(std::string_view text) {
    if (text.empty() || text.size() > 20) return std::nullopt;
    if (text.find_first_not_of("0123456789.") != std::string_view::npos) return std::nullopt;
    const std::string copy(text);
    char* end = nullptr;
    const double value = std::strtod(copy.c_str(), &end);
    if (end != copy.c_str() + copy.size() || !(value > 0) || value > 1e12) return std::nullopt;
    return value;
}

std::optional<Amount> factor_of(std::string_view text) {
    if (text.empty() || text.back() != 'x') return std::nullopt;
    const auto value = positive_number(text.substr(0, text.size() - 1));
    if (!value) return std::nullopt;
    return Amount{*value, true};
}

std::optional<Amount> watts_amount(std::string_view text) {
    if (text == "none") return Amount{};
    if (const auto factor = factor_of(text)) return factor;
    const auto watts = parse_power_watts(text);
    if (!watts || *watts <= 0) return std::nullopt;
    return Amount{*watts, false};
}

std::optional<Amount> whole_amount(std::string_view text, double most) {
    if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos)
        return std::nullopt;
    const double value = std::strtod(std::string(text).c_str(), nullptr);
    if (value > most) return std::nullopt;
    return Amount{value, false};
}

std::optional<Amount> nodes_amount(std::string_view text) {
    if (const auto factor = factor_of(text)) return factor;
    const auto nodes = whole_amount(text, fleet::nodes_per_pool_max);
    return nodes && nodes->value >= 1 ? nodes : std::nullopt;
}

std::optional<Amount> load_amount(std::string_view text) {
    if (const auto factor = factor_of(text)) return factor;
    const auto load = positive_number(text);
    return load && *load <= 1000 ? std::optional(Amount{*load, false}) : std::nullopt;
}

// Of a file there is only its name.
std::optional<Amount> no_amount(std::string_view) {
    return Amount{};
}

std::optional<Amount> yes_or_no(std::string_view text) {
    if (text != "yes" && text != "no") return std::nullopt;
    return Amount{text == "yes" ? 1.0 : 0.0, false};
}

std::optional<Amount> seed_amount(std::string_view text) {
    return whole_amount(text, 9e15);
}

// A key that is none of a policy.
struct Key {
    std::string_view name;
    std::string_view valid;
    std::optional<Amount> (*amount)(std::string_view);
};
constexpr std::array<Key, 9> other_keys{{
    {"rack_power", "a power above 0 (15kW), a factor (0.8x) or none", watts_amount},
    {"pod_power", "a power above 0 (200kW), a factor (0.8x) or none", watts_amount},
    {"site_power", "a power above 0 (12MW), a factor (0.8x) or none", watts_amount},
    {"nodes", "a factor (0.5x), or nodes (64) where the fleet is one pool", nodes_amount},
    {"load", "work over capacity (0.9), or a factor of what the log has (1.2x)", load_amount},
    {"seed", "a whole number", seed_amount},
    {"each_site", "yes (every site a centre of its own) or no", yes_or_no},
    {"fleet", "the path of a fleet file", no_amount},
    {"tenants", "the path of a tenants file, or trace", no_amount},
}};

const Key* other_key(std::string_view name) {
    const auto* const found = std::find_if(
        other_keys.begin(), other_keys.end(), [&](const Key& key) { return key.name == name; });
    return found == other_keys.end() ? nullptr : found;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ')
        text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ')
        text.remove_suffix(1);
    return text;
}

Result<std::vector<std::string>> listed(std::string_view text, std::string_view where) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find(',', at), text.size());
        words.emplace_back(trimmed(text.substr(at, end - at)));
        at = end + 1;
        if (words.back().empty()) {
            return fail(Code::invalid,
                        fmt::format("{}: '{}' has an empty place; write values with commas between "
                                    "them",
                                    where,
                                    text));
        }
        if (std::find(words.begin(), words.end() - 1, words.back()) != words.end() - 1) {
            return fail(Code::invalid, fmt::format("{}: '{}' twice", where, words.back()));
        }
    }
    return words;
}

struct Varied {
    std::string key;
    std::vector<std::string> values;
};

Result<Varied> varied_of(const std::string& text) {
    std::vector<std::string> names;
    for (const std::string_view key : sched::policy_keys())
        names.emplace_back(key);
    const std::size_t of_policy = names.size();
    for (const Key& key : other_keys)
        names.emplace_back(key.name);
    const std::size_t equals = text.find('=');
    Varied varied;
    varied.key = trimmed(text.substr(0, equals));
    const auto known = std::find(names.begin(), names.end(), varied.key);
    if (known == names.end()) {
        const std::string near = nearest(varied.key, names);
        return fail(Code::invalid,
                    fmt::format("--vary: '{}' is no key{}; valid: {}",
                                varied.key,
                                near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near),
                                fmt::join(names, ", ")));
    }
    const std::string where = "--vary " + varied.key;
    if (equals == std::string::npos) {
        return fail(Code::invalid, fmt::format("{0}: no values; write {1}=A,B", where, varied.key));
    }
    WEIR_TRY(varied.values, listed(std::string_view(text).substr(equals + 1), where));
    for (const std::string& value : varied.values) {
        if (static_cast<std::size_t>(known - names.begin()) < of_policy) {
            const auto tried = sched::policy_from_text("weir " + varied.key + "=" + value);
            if (!tried) return fail(tried.error().at("--vary"));
        } else if (const Key* key = other_key(varied.key); !key->amount(value)) {
            return fail(Code::invalid,
                        fmt::format("{}: '{}' is not valid; write {}", where, value, key->valid));
        }
    }
    return varied;
}

std::optional<Amount> amount_of(const ExperimentRun& run, std::string_view name) {
    for (const auto& [key, value] : run.varied) {
        if (key == name) return other_key(name)->amount(value);
    }
    return std::nullopt;
}

Result<void> set_nodes(fleet::Fleet& fleet, Amount amount) {
    if (!amount.factor && fleet.pools.size() != 1) {
        return fail(Code::invalid,
                    fmt::format("--vary nodes: {:.0f} nodes of which of {} pools? Write a factor, "
                                "such as 0.5x",
                                amount.value,
                                fleet.pools.size()));
    }
    for (fleet::Pool& pool : fleet.pools) {
        const double nodes = amount.factor ? std::round(pool.nodes * amount.value) : amount.value;
        if (nodes > fleet::nodes_per_pool_max) {
            return fail(Code::too_large,
                        fmt::format("--vary nodes: {}x makes {:.0f} nodes of pool {}; a pool has "
                                    "at most {}",
                                    amount.value,
                                    nodes,
                                    pool.name,
                                    format_count(fleet::nodes_per_pool_max)));
        }
        // Nobody loses a whole kind of node by rounding.
        const auto made = std::max(1u, static_cast<std::uint32_t>(nodes));
        if (made != pool.nodes) pool.node_names.clear();
        pool.nodes = made;
    }
    return {};
}

Result<void> set_power(fleet::Fleet& fleet, std::string_view name, Amount amount) {
    if (std::none_of(fleet.pools.begin(), fleet.pools.end(), [](const fleet::Pool& pool) {
            return pool.node_busy_watts > 0;
        })) {
        return fail(Code::invalid,
                    fmt::format("--vary {}: no pool of this fleet says what its nodes draw "
                                "(node_power), so no cap means anything",
                                name));
    }
    bool changed = false;
    const auto set = [&](double& watts) {
        if (amount.factor && watts <= 0) return;
        watts = amount.factor ? watts * amount.value : amount.value;
        changed = true;
    };
    for (fleet::Pool& pool : fleet.pools) {
        if (name == "rack_power" && pool.node_busy_watts > 0) set(pool.rack_power_watts);
        if (name == "pod_power" && pool.node_busy_watts > 0) set(pool.pod_power_watts);
    }
    for (fleet::Site& site : fleet.sites) {
        if (name == "site_power") set(site.power_watts);
    }
    if (!changed) {
        return fail(Code::invalid,
                    fmt::format("--vary {}: {}x of what? The fleet has no such cap; write a power, "
                                "such as 15kW",
                                name,
                                amount.value));
    }
    return {};
}

struct Offered {
    double load = 0;  // 0 = cannot be told
    Time first{};
};

// Work over capacity and the time between the first and the last submission, of what is replayed.
Offered offered_load(const sim::Trace& trace,
                     const std::optional<Time>& from,
                     const std::optional<Time>& until) {
    double chip_s = 0;
    double cpu_s = 0;
    std::size_t jobs = 0;
    std::size_t with_chips = 0;
    Time first = Time::max();
    Time last = Time::min();
    for (const sim::TraceJob& job : trace.jobs) {
        if ((from && job.submitted_at < *from) || (until && job.submitted_at > *until)) continue;
        const double run_s = as_seconds(job.run);
        chip_s += run_s * job.chips * job.chip_permille / 1000.0;
        cpu_s += run_s * trace.cpus(job);
        ++jobs;
        with_chips += job.chips > 0 ? 1 : 0;
        first = std::min(first, job.submitted_at);
        last = std::max(last, job.submitted_at);
    }
    if (jobs == 0 || last == first) return {};
    const bool by_chips = trace.fleet.chips_total() > 0 && 2 * with_chips >= jobs;
    const double capacity = by_chips ? static_cast<double>(trace.fleet.chips_total())
                                     : static_cast<double>(trace.fleet.cpus_milli_total()) / 1000.0;
    if (capacity <= 0) return {};
    return {(by_chips ? chip_s : cpu_s) / capacity / as_seconds(last - first), first};
}

}  // namespace

Result<std::vector<ExperimentRun>> runs_of(const std::string& policies,
                                           const std::vector<std::string>& vary) {
    WEIR_TRY(const std::vector<std::string> texts, listed(policies, "--policy"));
    for (const std::string& text : texts) {
        const auto tried = sched::policy_from_text(text);
        if (!tried) return fail(tried.error().at("--policy"));
    }
    std::vector<Varied> keys;
    std::size_t count = texts.size();
    for (const std::string& text : vary) {
        WEIR_TRY(Varied varied, varied_of(text));
        for (const Varied& other : keys) {
            if (other.key == varied.key) {
                return fail(Code::invalid,
                            fmt::format("--vary {0}: given twice; write all values in one: "
                                        "{0}=A,B",
                                        varied.key));
            }
        }
        count *= varied.values.size();
        keys.push_back(std::move(varied));
        if (count > 1'000'000) break;
    }
    if (count > runs_max) {
        std::string product =
            texts.size() == 1 ? "1 policy" : format_count(texts.size()) + " policies";
        for (const Varied& varied : keys)
            product += fmt::format(" x {} of {}", varied.values.size(), varied.key);
        return fail(Code::invalid,
                    fmt::format("--vary: {} make {}; at most {} are compared",
                                product,
                                format_count(count, "run"),
                                runs_max));
    }
    std::vector<ExperimentRun> runs;
    for (std::size_t number = 0; number < count; ++number) {
        ExperimentRun run;
        std::size_t rest = number;
        for (auto varied = keys.rbegin(); varied != keys.rend(); ++varied) {
            run.varied.emplace(
                run.varied.begin(), varied->key, varied->values[rest % varied->values.size()]);
            rest /= varied->values.size();
        }
        run.policy_text = texts[rest];
        std::string resolved = run.policy_text;
        if (texts.size() > 1 || keys.empty()) run.name = run.policy_text;
        for (const auto& [key, value] : run.varied) {
            run.name += (run.name.empty() ? "" : " ") + key + "=" + value;
            if (other_key(key) == nullptr) resolved += " " + key + "=" + value;
        }
        WEIR_TRY(run.policy, sched::policy_from_text(resolved));
        runs.push_back(std::move(run));
    }
    return runs;
}

bool changes_trace(const ExperimentRun& run) {
    return std::any_of(run.varied.begin(), run.varied.end(), [](const auto& pair) {
        return other_key(pair.first) != nullptr && pair.first != "seed" &&
               pair.first != "each_site";
    });
}

Result<void> apply(const ExperimentRun& run,
                   sim::Trace& trace,
                   std::optional<Time>& from,
                   std::optional<Time>& until) {
    if (const auto nodes = amount_of(run, "nodes")) WEIR_CHECK(set_nodes(trace.fleet, *nodes));
    for (const char* name : {"rack_power", "pod_power", "site_power"}) {
        if (const auto watts = amount_of(run, name))
            WEIR_CHECK(set_power(trace.fleet, name, *watts));
    }
    const auto load = amount_of(run, "load");
    if (!load) return {};
    const Offered offered = offered_load(trace, from, until);
    if (offered.load <= 0) {
        return fail(Code::invalid,
                    "--vary load: all jobs are submitted at one moment, or the fleet has nothing "
                    "they use; there is no time between them to stretch");
    }
    const double factor = load->factor ? load->value : load->value / offered.load;
    // Of what is not replayed, too.
    double furthest_ms = 0;
    const auto reach = [&](Time at) {
        furthest_ms =
            std::max(furthest_ms, std::abs(static_cast<double>((at - offered.first).count())));
    };
    for (const sim::TraceJob& job : trace.jobs)
        reach(job.submitted_at);
    if (from) reach(*from);
    if (until) reach(*until);
    if (furthest_ms / factor >= static_cast<double>((never - offered.first).count())) {
        return fail(
            Code::invalid,
            fmt::format("--vary load: {}{} stretches the log beyond the times that weir can "
                        "count; give more",
                        load->value,
                        load->factor ? "x" : ""));
    }
    const auto moved = [&](Time at) {
        const auto since = static_cast<double>((at - offered.first).count());
        return offered.first + Duration{std::llround(since / factor)};
    };
    for (sim::TraceJob& job : trace.jobs)
        job.submitted_at = moved(job.submitted_at);
    if (from) from = moved(*from);
    if (until) until = moved(*until);
    return {};
}

std::vector<std::string> idle_keys(const std::vector<ExperimentRun>& runs,
                                   const sim::Trace& trace) {
    std::vector<std::string> sentences;
    if (trace.has_classes()) return sentences;
    for (const std::string_view key : {"preempt", "min_run", "preemptions_per_hour"}) {
        const bool set = std::any_of(runs.begin(), runs.end(), [&](const ExperimentRun& run) {
            return run.policy_text.find(fmt::format(" {}=", key)) != std::string::npos ||
                   std::any_of(run.varied.begin(), run.varied.end(), [&](const auto& varied) {
                       return varied.first == key;
                   });
        });
        if (!set) continue;
        sentences.push_back(
            fmt::format("{} changes nothing: all jobs of this log have the same priority, so "
                        "nobody is stopped for another (a CSV may have a column priority)",
                        key));
    }
    return sentences;
}

std::string file_of(const ExperimentRun& run, std::string_view key) {
    for (const auto& [name, value] : run.varied)
        if (name == key) return value;
    return {};
}

std::optional<bool> each_site_of(const ExperimentRun& run) {
    const auto each_site = amount_of(run, "each_site");
    if (!each_site) return std::nullopt;
    return each_site->value > 0;
}

std::optional<std::uint64_t> seed_of(const ExperimentRun& run) {
    const auto seed = amount_of(run, "seed");
    if (!seed) return std::nullopt;
    return static_cast<std::uint64_t>(seed->value);
}

}  // namespace weir::cli
