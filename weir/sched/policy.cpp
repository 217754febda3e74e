#include "weir/sched/policy.hpp"

#include <fmt/format.h>

#include <array>
#include <functional>
#include <limits>
#include <sstream>

#include "weir/base/schema.hpp"

namespace weir::sched {

const Policy Policy::fcfs{.name = "fcfs",
                          .backfill = false,
                          .reservations_max = 0,
                          .order = Order::submission,
                          .preempt = false,
                          .fair = tenancy::FairRule::none};
const Policy Policy::easy{.name = "easy",
                          .plan_work_max = 0,
                          .order = Order::submission,
                          .slack = {},
                          .slack_percent = 0,
                          .slack_until = {},
                          .tighten_after = {},
                          .preempt = false,
                          .fair = tenancy::FairRule::none};
const Policy Policy::conservative{.name = "conservative",
                                  .reservations_max = 1000,
                                  .plan_work_max = 4096,
                                  .order = Order::submission,
                                  .slack = {},
                                  .slack_percent = 0,
                                  .slack_until = {},
                                  .tighten_after = {},
                                  .preempt = false,
                                  .fair = tenancy::FairRule::none};
const Policy Policy::weir{};

namespace {

// One key that may be changed: its text, and how a text becomes a value ("" or what is valid).
struct Key {
    std::string_view name;
    std::string_view what;
    std::function<std::string(const Policy&)> text;
    std::function<std::string(Policy&, const std::string&)> set;
};

template <class Number>
Key count_key(std::string_view name, std::string_view what, Number Policy::*member) {
    return {name,
            what,
            [member](const Policy& policy) { return std::to_string(policy.*member); },
            [member](Policy& policy, const std::string& value) -> std::string {
                constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
                const bool digits = !value.empty() && value.size() <= 10 &&
                                    value.find_first_not_of("0123456789") == std::string::npos;
                if (!digits || std::stoull(value) > most) return "a whole number from 0 on";
                policy.*member = static_cast<Number>(std::stoull(value));
                return "";
            }};
}

Key duration_key(std::string_view name, std::string_view what, Duration Policy::*member) {
    return {
        name,
        what,
        [member](const Policy& policy) { return fmt::format("{}ms", (policy.*member).count()); },
        [member](Policy& policy, const std::string& value) -> std::string {
            const auto parsed = parse_duration(value);
            if (!parsed) return "a duration such as 10min";
            policy.*member = *parsed;
            return "";
        }};
}

template <class Value>
Key choice_key(std::string_view name,
               std::string_view what,
               Value Policy::*member,
               std::string_view first,
               std::string_view second) {
    return {name,
            what,
            [=](const Policy& policy) {
                return std::string(policy.*member == static_cast<Value>(0) ? first : second);
            },
            [=](Policy& policy, const std::string& value) -> std::string {
                if (value != first && value != second)
                    return fmt::format("{} or {}", first, second);
                policy.*member = static_cast<Value>(value == first ? 0 : 1);
                return "";
            }};
}

Key fair_key() {
    static constexpr std::array<std::string_view, 3> names{"none", "drf", "tree"};
    return {"fair",
            "who goes first among organisations that borrow: as they come (none), the smaller "
            "dominant share (drf), or by Fair Tree (tree)",
            [](const Policy& policy) {
                return std::string(names[static_cast<std::size_t>(policy.fair)]);
            },
            [](Policy& policy, const std::string& value) -> std::string {
                for (std::size_t i = 0; i < names.size(); ++i) {
                    if (value != names[i]) continue;
                    policy.fair = static_cast<tenancy::FairRule>(i);
                    return "";
                }
                return "none, drf or tree";
            }};
}

const std::vector<Key>& keys() {
    static const std::vector<Key> table{
        count_key(
            "reservations",
            "promises for each pool: the first so many jobs that wait for it get a start that "
            "nobody behind them may delay",
            &Policy::reservations_max),
        count_key("plan_work",
                  "steps of planning in one pass, on average; 0 = no limit",
                  &Policy::plan_work_max),
        choice_key("order",
                   "the place in the queue inside a class of priority: by submission, or by date "
                   "(submission + date_factor x limit, at most date_cap later)",
                   &Policy::order,
                   "submission",
                   "date"),
        count_key("date_factor", "see order", &Policy::date_factor),
        duration_key("date_cap", "see order", &Policy::date_cap),
        duration_key("slack",
                     "a promise is later than the earliest possible start by this ...",
                     &Policy::slack),
        count_key("slack_percent", "... and this share of the limit,", &Policy::slack_percent),
        duration_key(
            "slack_until", "but not later than so long after submission", &Policy::slack_until),
        duration_key(
            "tighten_after",
            "when a job has waited so long, room is held for it from the earliest possible "
            "time on",
            &Policy::tighten_after),
        choice_key(
            "prediction",
            "what a job is expected to take, for the order of candidates only: its limit, or "
            "learnt from history",
            &Policy::prediction,
            "limit",
            "history"),
        choice_key("placement",
                   "the node for a gang that fits on one: the tightest, or the one where it costs "
                   "the tasks that this site usually has least",
                   &Policy::placement,
                   "tight",
                   "supply"),
        choice_key("preempt",
                   "whether jobs of a higher class may stop those of a lower one",
                   &Policy::preempt,
                   "no",
                   "yes"),
        duration_key("min_run", "nobody is stopped for others before", &Policy::min_run),
        count_key("preemptions_per_hour",
                  "at most so many jobs are stopped for others in an hour",
                  &Policy::preemptions_per_hour_max),
        duration_key("suspect_for",
                     "a node that failed is avoided for so long where others will do",
                     &Policy::suspect_for),
        fair_key(),
        duration_key(
            "fair_half_life",
            "what an organisation used counts half after so long; 0s = only what it uses now",
            &Policy::fair_half_life),
    };
    return table;
}

}  // namespace

std::string text_of(const Policy& policy) {
    const Policy& preset = policy.name == "fcfs"           ? Policy::fcfs
                           : policy.name == "easy"         ? Policy::easy
                           : policy.name == "conservative" ? Policy::conservative
                                                           : Policy::weir;
    std::string text = policy.name;
    for (const Key& key : keys()) {
        const std::string value = key.text(policy);
        if (value != key.text(preset)) text += fmt::format(" {}={}", key.name, value);
    }
    return text;
}

Result<Policy> policy_from_text(std::string_view text) {
    std::istringstream words{std::string(text)};
    std::string word;
    words >> word;
    Policy policy;
    if (word == "fcfs") {
        policy = Policy::fcfs;
    } else if (word == "easy") {
        policy = Policy::easy;
    } else if (word == "conservative") {
        policy = Policy::conservative;
    } else if (word != "weir") {
        return fail(
            Code::invalid,
            fmt::format("policy: '{}' is not known; valid: fcfs, easy, conservative, weir", word));
    }
    while (words >> word) {
        const std::size_t equals = word.find('=');
        const std::string name = word.substr(0, equals);
        const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
        const std::vector<std::string_view> known = policy_keys();
        const Key* found = nullptr;
        for (const Key& key : keys()) {
            if (key.name == name) found = &key;
        }
        if (found == nullptr) {
            const auto near = schema::nearest(name, known);
            return fail(Code::invalid,
                        fmt::format("policy: '{}' is no key of a policy{}; valid: {}",
                                    name,
                                    near ? fmt::format(" (did you mean '{}'?)", *near) : "",
                                    fmt::join(known, ", ")));
        }
        if (const std::string valid = found->set(policy, value); !valid.empty()) {
            return fail(Code::invalid,
                        fmt::format("policy: {}: '{}' is not valid; write {}", name, value, valid));
        }
    }
    return policy;
}

std::vector<std::string_view> policy_keys() {
    std::vector<std::string_view> names;
    for (const Key& key : keys())
        names.push_back(key.name);
    return names;
}

std::string policy_reference() {
    std::string text;
    for (const Key& key : keys())
        text += fmt::format("{}\n    {} (weir: {}, easy: {})\n",
                            key.name,
                            key.what,
                            key.text(Policy::weir),
                            key.text(Policy::easy));
    return text;
}

}  // namespace weir::sched
