#include "weir/cli/plan_explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "weir/base/seconds.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/plan_text.hpp"
#include "weir/cli/print.hpp"
#include "weir/plan/interval.hpp"
#include "weir/plan/launch.hpp"
#include "weir/plan/stack.hpp"
#include "weir/plan/usual.hpp"

namespace weir::cli {
namespace {

using plan::Prediction;
using plan::Recompute;
using plan::SearchOptions;
using plan::SearchResult;
using plan::Strategy;
using plan::Term;

double tokens_of(const plan::TrainingJob& job) {
    return static_cast<double>(job.global_batch) * job.sequence;
}

// The search again with one thing changed. `base`: what a token costs today; 0 = there is no plan.
PlanChange again(std::string what,
                 const plan::TrainingJob& job,
                 const plan::Machine& machine,
                 SearchOptions options,
                 double base) {
    PlanChange change;
    change.what = std::move(what);
    options.top_k = 1;
    const plan::TrainingModel model(job, machine);
    const auto found = plan::search(model, options);
    if (!found) return change;
    if (found->plans.empty()) {
        change.missing_bytes = found->missing_bytes;
        return change;
    }
    const plan::Plan& best = found->plans.front();
    change.strategy = best.strategy;
    change.step_s = best.prediction.step_s;
    if (base > 0) change.gain = base / (best.value / tokens_of(job)) - 1;
    return change;
}

// False where the framework does not have that kind.
bool only_recompute(SearchOptions& options, Recompute kind) {
    options.recompute_none = options.recompute_none && kind == Recompute::none;
    options.recompute_selective = options.recompute_selective && kind == Recompute::selective;
    options.recompute_full = options.recompute_full && kind == Recompute::full;
    options.recompute_block = options.recompute_block && kind == Recompute::full;
    return options.recompute_none || options.recompute_selective || options.recompute_full;
}

// Differences of two steps by term, the largest saving first.
std::string saved_text(const Prediction& best, const Prediction& other) {
    struct Saved {
        Term term;
        double seconds;
    };
    std::vector<Saved> all;
    for (std::size_t i = 0; i < plan::term_count; ++i)
        all.push_back({static_cast<Term>(i), best.term_s[i] - other.term_s[i]});
    std::sort(all.begin(), all.end(), [](const Saved& a, const Saved& b) {
        return std::abs(a.seconds) > std::abs(b.seconds);
    });
    std::string text;
    for (std::size_t i = 0; i < 3 && std::abs(all[i].seconds) > 5e-4; ++i) {
        text += fmt::format("{}{} {}{}",
                            text.empty() ? "" : ", ",
                            name_of(all[i].term),
                            all[i].seconds < 0 ? "\u2212" : "+",
                            format_seconds(std::abs(all[i].seconds)));
    }
    return text;
}

void largest_gain_first(std::vector<PlanChange>& changes) {
    std::stable_sort(changes.begin(), changes.end(), [](const auto& a, const auto& b) {
        if (a.strategy.has_value() != b.strategy.has_value()) return a.strategy.has_value();
        return a.gain > b.gain;
    });
}

bool has_next(const PlanPool& pool, const Strategy& strategy) {
    return strategy.chips() > pool.machine.chips_per_node;
}

}  // namespace

std::vector<std::string> limits_of(const Prediction& prediction,
                                   const plan::Machine& machine,
                                   const Strategy& strategy) {
    std::vector<std::string> sentences;
    const double ideal_s = prediction.model_flops / (static_cast<double>(strategy.chips()) *
                                                     machine.peak(strategy.precision));
    sentences.push_back(
        fmt::format("at the peak of its chips a step would take {}, and it takes {}",
                    format_seconds(ideal_s),
                    format_seconds(prediction.step_s)));
    struct Lost {
        std::string what;
        double seconds;
    };
    const double math = prediction.at(Term::products) + prediction.at(Term::attention);
    std::vector<Lost> lost{{"matrix products and attention below the peak", math - ideal_s}};
    for (std::size_t i = 0; i < plan::term_count; ++i) {
        const auto term = static_cast<Term>(i);
        if (term == Term::products || term == Term::attention) continue;
        lost.push_back({std::string(name_of(term)), prediction.term_s[i]});
    }
    std::sort(lost.begin(), lost.end(), [](const Lost& a, const Lost& b) {
        return a.seconds > b.seconds;
    });
    for (std::size_t i = 0; i < 4 && lost[i].seconds > 0.005 * prediction.step_s; ++i) {
        sentences.push_back(fmt::format("{}: {} of {}, {} of the step",
                                        lost[i].what,
                                        format_seconds(lost[i].seconds),
                                        format_seconds(prediction.step_s),
                                        format_percent(lost[i].seconds / prediction.step_s)));
    }
    return sentences;
}

std::vector<std::string> assumptions_of(const plan::Machine& machine) {
    std::vector<std::string> sentences;
    const plan::UsualSystem& system = plan::usual_system(machine.chip_name);
    // What a fleet file says is not assumed.
    if (system.assumed && machine.chips_per_node == system.chips_per_node) {
        sentences.push_back(
            fmt::format("{} to a node over {}, {} between nodes: {}",
                        system.chips_per_node,
                        system.inside == "any" ? "no known link" : system.inside,
                        system.between == "any" ? "no known network" : system.between,
                        system.source));
    }
    for (const plan::UsualFigure& figure : plan::usual_figures()) {
        if (!figure.assumed) continue;
        sentences.push_back(
            fmt::format("{} {}: {}", figure.name, number_cell(figure.value), figure.source));
    }
    return sentences;
}

Explanation explain(const PlanQuestion& question, const PlanPool& pool, const SearchResult& found) {
    Explanation made;
    const plan::Plan& best = found.plans.front();
    const double base = best.value / tokens_of(question.job);
    const SearchOptions options = question.search_on(pool);
    made.why.push_back(fmt::format("best by {} of all strategies ({})",
                                   name_of(options.objective),
                                   format_count(static_cast<std::uint64_t>(found.considered))));
    for (std::size_t i = 1; i < std::min<std::size_t>(found.plans.size(), 3); ++i) {
        const plan::Plan& other = found.plans[i];
        const std::string saved = saved_text(best.prediction, other.prediction);
        made.why.push_back(fmt::format("{:.1f} % before {}{}",
                                       100 * (other.value / best.value - 1),
                                       text_of(other.strategy),
                                       saved.empty() ? "" : ": " + saved));
    }
    made.limits = limits_of(best.prediction, pool.machine, best.strategy);
    const auto machine_with = [&](auto change) {
        plan::Machine machine = pool.machine;
        change(machine);
        return machine;
    };
    const auto job_with = [&](auto change) {
        plan::TrainingJob job = question.job;
        change(job);
        return job;
    };
    made.tried.push_back(again("twice the memory of a chip",
                               question.job,
                               machine_with([](auto& m) { m.memory_bytes *= 2; }),
                               options,
                               base));
    made.tried.push_back(again("links inside nodes twice as fast",
                               question.job,
                               machine_with([](auto& m) { m.inside.bytes_per_s *= 2; }),
                               options,
                               base));
    if (has_next(pool, best.strategy)) {
        made.tried.push_back(again("links between nodes twice as fast",
                                   question.job,
                                   machine_with([](auto& m) { m.between.bytes_per_s *= 2; }),
                                   options,
                                   base));
    }
    made.tried.push_back(again(
        fmt::format("global batch {}", format_count(std::uint64_t{2} * question.job.global_batch)),
        job_with([](auto& job) { job.global_batch *= 2; }),
        pool.machine,
        options,
        base));
    for (const Recompute kind : {Recompute::none, Recompute::selective, Recompute::full}) {
        if (kind == best.strategy.recompute) continue;
        SearchOptions other = options;
        if (!only_recompute(other, kind)) continue;
        made.tried.push_back(again(
            fmt::format("recompute {}", name_of(kind)), question.job, pool.machine, other, base));
    }
    if (!options.offload_optimizer) {
        SearchOptions other = options;
        other.offload_optimizer = true;
        PlanChange change =
            again("optimizer state may lie on the host", question.job, pool.machine, other, base);
        made.tried.push_back(std::move(change));
    }
    largest_gain_first(made.tried);
    made.assumed = assumptions_of(pool.machine);
    return made;
}

std::vector<PlanChange> what_would_fit(const PlanQuestion& question, const PlanPool& pool) {
    std::vector<PlanChange> tried;
    const SearchOptions options = question.search_on(pool);
    SearchOptions offload = options;
    offload.offload_optimizer = true;
    tried.push_back(again("optimizer state on the host", question.job, pool.machine, offload, 0));
    // Twice as many until it fits; beyond 64 times as many it is another question.
    for (std::uint64_t times = 2; times <= 64; times *= 2) {
        SearchOptions more = options;
        more.chips = pool.chips * times;
        PlanChange change = again(
            fmt::format("{} chips", format_count(more.chips)), question.job, pool.machine, more, 0);
        const bool fits = change.strategy.has_value();
        if (fits || times == 64) tried.push_back(std::move(change));
        if (fits) break;
    }
    for (double times : {1.25, 1.5, 2.0, 4.0, 8.0}) {
        plan::Machine machine = pool.machine;
        machine.memory_bytes *= times;
        PlanChange change = again(fmt::format("chips with {}", gib_text(machine.memory_bytes)),
                                  question.job,
                                  machine,
                                  options,
                                  0);
        const bool fits = change.strategy.has_value();
        if (fits || times == 8.0) tried.push_back(std::move(change));
        if (fits) break;
    }
    for (std::uint32_t part = 2; part <= 16 && question.job.sequence % part == 0; part *= 2) {
        plan::TrainingJob job = question.job;
        job.sequence /= part;
        PlanChange change = again(fmt::format("sequences of {} tokens", format_count(job.sequence)),
                                  job,
                                  pool.machine,
                                  options,
                                  0);
        if (!change.strategy) continue;
        tried.push_back(std::move(change));
        break;
    }
    return tried;
}

std::vector<PlanChange> single_changes(const plan::TrainingModel& model,
                                       const Strategy& base,
                                       double memory_max_bytes) {
    const double today_s = model.predict(base).step_s;
    // Nodes of one chip: how many a node has is the same for all changes.
    const auto launches = [&](const Strategy& strategy) {
        return plan::launch_arguments({model.job(), strategy, 1}, strategy.framework).has_value();
    };
    const bool launched = launches(base);
    std::vector<PlanChange> changes;
    const auto add = [&](std::string what, Strategy changed) {
        if (!plan::check(changed, model.job(), base.chips())) return;
        // Tokens go to experts as they do today, where the change leaves that open.
        const bool deepep = base.ep > 1 ? changed.deepep : model.machine().deepep;
        changed.deepep = deepep && plan::deepep_fits(changed);
        // What a framework always does is no change.
        changed = plan::as_launched(changed, model.job(), base.framework);
        if (changed == plan::as_launched(base, model.job(), base.framework)) return;
        if (launched && !launches(changed)) return;
        const Prediction prediction = model.predict(changed);
        PlanChange change;
        change.what = std::move(what);
        const double room = memory_max_bytes - prediction.memory_total_bytes();
        if (room >= 0) change.strategy = changed;
        change.missing_bytes = std::max(0.0, -room);
        change.step_s = prediction.step_s;
        change.gain = today_s / prediction.step_s - 1;
        changes.push_back(std::move(change));
    };
    // A degree up or down, with data parallelism taking what that leaves or needs.
    struct Degree {
        std::string_view name;
        std::uint32_t Strategy::*member;
    };
    for (const Degree& degree :
         {Degree{"tp", &Strategy::tp}, Degree{"pp", &Strategy::pp}, Degree{"cp", &Strategy::cp}}) {
        const std::uint32_t value = base.*degree.member;
        Strategy more = base;
        more.*degree.member = value * 2;
        more.dp = base.dp / 2;
        if (base.dp % 2 == 0)
            add(fmt::format("{} {}, dp {}", degree.name, value * 2, more.dp), more);
        Strategy less = base;
        less.*degree.member = value / 2;
        less.dp = base.dp * 2;
        if (less.pp == 1) less.vpp = 1;
        if (value % 2 == 0) add(fmt::format("{} {}, dp {}", degree.name, value / 2, less.dp), less);
    }
    for (const Degree& degree : {Degree{"ep", &Strategy::ep},
                                 Degree{"vpp", &Strategy::vpp},
                                 Degree{"micro-batch", &Strategy::micro_batch}}) {
        for (const bool up : {true, false}) {
            Strategy changed = base;
            const std::uint32_t value = base.*degree.member;
            changed.*degree.member = up ? value * 2 : value / 2;
            if (!up && value % 2 != 0) continue;
            add(fmt::format("{} {}", degree.name, changed.*degree.member), changed);
        }
    }
    for (const Recompute kind : {Recompute::none, Recompute::selective, Recompute::full}) {
        Strategy changed = base;
        changed.recompute = kind;
        changed.recompute_layers = 0;
        changed.parts = {};
        if (kind == Recompute::selective) {
            changed.parts.attention = !base.flash_attention;
            changed.parts.norms = changed.parts.activation = true;
        }
        add(kind == Recompute::selective ? std::string("recompute norms and activation only")
                                         : fmt::format("recompute {}", name_of(kind)),
            changed);
    }
    for (const std::uint32_t stage : {0U, 1U, 2U, 3U}) {
        Strategy changed = base;
        changed.zero = stage;
        add(fmt::format("ZeRO stage {}", stage), changed);
    }
    const auto toggle = [&](std::string_view name, auto turn, bool is_on) {
        Strategy changed = base;
        turn(changed, !is_on);
        add(fmt::format("{} {}", name, is_on ? "off" : "on"), changed);
    };
    if (base.ep > 1 && model.machine().deepep) {
        toggle(
            "DeepEP", [](Strategy& s, bool on) { s.deepep = on; }, base.deepep);
    }
    if (base.tp > 1) {
        toggle(
            "sequence parallelism",
            [](Strategy& s, bool on) { s.sequence_parallel = on; },
            base.sequence_parallel);
        toggle(
            "overlap of tensor parallel communication",
            [](Strategy& s, bool on) { s.overlap.tensor = on; },
            base.overlap.tensor);
    }
    if (base.dp * base.cp > 1) {
        toggle(
            "overlap of gradients",
            [](Strategy& s, bool on) { s.overlap.grad_reduce = on; },
            base.overlap.grad_reduce);
        if (base.zero > 0)
            toggle(
                "overlap of weights",
                [](Strategy& s, bool on) { s.overlap.param_gather = on; },
                base.overlap.param_gather);
    }
    if (base.pp > 1)
        toggle(
            "overlap of pipeline sends",
            [](Strategy& s, bool on) { s.overlap.pipeline = on; },
            base.overlap.pipeline);
    if (base.ep > 1)
        toggle(
            "overlap of expert communication",
            [](Strategy& s, bool on) { s.overlap.experts = on; },
            base.overlap.experts);
    if (!base.flash_attention)
        toggle(
            "flash attention", [](Strategy& s, bool on) { s.flash_attention = on; }, false);
    largest_gain_first(changes);
    return changes;
}

std::string changes_table(const std::vector<PlanChange>& changes, std::size_t width) {
    // Where nothing fits today there is nothing to gain on.
    const bool gains = std::any_of(
        changes.begin(), changes.end(), [](const PlanChange& one) { return one.gain != 0; });
    std::vector<Column> columns{{"tried"}, {"step", true}};
    if (gains) columns.push_back({"gain", true});
    const std::size_t plan_at = columns.size();
    PlanRows table(std::move(columns), plan_at, "plan then");
    for (const PlanChange& change : changes) {
        std::vector<std::string> cells{change.what,
                                       change.step_s > 0 ? format_seconds(change.step_s) : "-"};
        if (gains)
            cells.push_back(change.strategy ? fmt::format("{:+.1f} %", 100 * change.gain) : "-");
        table.row(std::move(cells),
                  change.strategy ? text_of(*change.strategy)
                  : change.missing_bytes > 0
                      ? fmt::format("does not fit: {} too much", gib_text(change.missing_bytes))
                      : "no such plan");
    }
    return table.text(width);
}

std::string explanation_text(const Explanation& explanation, std::size_t width) {
    std::string text;
    const auto list = [&](std::string_view title, const std::vector<std::string>& sentences) {
        text += paint(title, Tone::strong) + "\n";
        for (const std::string& sentence : sentences)
            text += "  " + wrapped(sentence, 2, width) + "\n";
        text += "\n";
    };
    list("why this plan", explanation.why);
    list("what limits it", explanation.limits);
    text += paint("what would help, each tried", Tone::strong) + "\n";
    text += changes_table(explanation.tried, width) + "\n";
    list("assumed, by no measurement", explanation.assumed);
    text.pop_back();
    return text;
}

}  // namespace weir::cli
