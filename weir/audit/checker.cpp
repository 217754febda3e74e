#include "weir/audit/checker.hpp"

#include <algorithm>
#include <limits>

#include "weir/audit/checker_state.hpp"

namespace weir::audit {

bool came_as_asked(Came outcome, Waits waits) {
    switch (waits) {
        case Waits::success:
            return outcome == Came::succeeded;
        case Waits::failure:
            return outcome == Came::failed || outcome == Came::lost;
        case Waits::end:
            return true;
    }
    return false;
}

namespace {

bool may_be(const Job& job, std::uint32_t size) {
    return job.size ? *job.size == size : size <= job.asked.sizes.size();
}

}  // namespace

Job Checker::State::in_size(const Job& job, std::uint32_t size) {
    Job its = job;
    if (size == 0 || size > job.asked.sizes.size()) return its;
    its.asked.demand = job.asked.sizes[size - 1].demand;
    its.asked.limit = job.asked.sizes[size - 1].limit;
    return its;
}

// It starts in that size. The one of its first start is the only one from then on.
void Checker::State::settle_size(Job& job, std::uint32_t size) {
    if (job.asked.sizes.empty() && !job.size && size == 0) return;
    expect(Rule::sizes, may_be(job, size), [&] {
        return job.size ? fmt::format("job {} starts in size {}, and had started in size {}",
                                      job.asked.job.value,
                                      size,
                                      *job.size)
                        : fmt::format("job {} starts in size {}, and {} were offered",
                                      job.asked.job.value,
                                      size,
                                      job.asked.sizes.size() + 1);
    });
    if (job.size) return;
    job = in_size(job, size);
    job.size = size;
    job.asked.sizes.clear();
    job.accepts = job.asked.demand.pools;
    if (counted) counted->takes(job.asked.job, job.asked.demand, now);
}

// The job, if it is at that stage; else a violation.
Job* Checker::State::known(JobId id, Stage stage, Rule rule, std::string_view what) {
    const auto found = jobs.find(id);
    const bool right = found != jobs.end() && found->second.stage == stage;
    expect(rule, right, [&] {
        const char* is = over.contains(id)       ? "has ended"
                         : found == jobs.end()   ? "was never submitted"
                         : stage == Stage::waits ? "runs already"
                                                 : "does not run";
        return fmt::format("job {} {}, but it {}", id.value, what, is);
    });
    return right ? &found->second : nullptr;
}

// ---------------------------------------------------------------------------------------------
// What happened

void Checker::State::on(const Header& what) {
    close_run();
    ++report.runs;
    header = what;
    header_line = line;
    constexpr std::uint64_t nodes_max = 20'000'000;
    if (!sense(what.fleet.nodes_total() <= nodes_max,
               [] { return std::string("a fleet of more nodes than can be booked"); })) {
        header.reset();
        return;
    }
    books.emplace(what.fleet);
    quotas.emplace(what);
    plain.emplace(what);
    data.emplace(what);
    for (std::size_t i = 0; i < what.organisations.size(); ++i) {
        sense(*quotas->find(what.organisations[i].path) == i + 1, [&] {
            return fmt::format("organisation {} is named twice", what.organisations[i].path);
        });
    }
    if (what.counted_in != Unit::none) {
        counted.emplace(what);
    } else {
        report.unsaid.push_back(
            {line,
             "its header has no counted_in, as those that were written before runs kept a "
             "waterfall: where its chip-seconds went is not checked"});
    }
    pool_excuses.assign(what.fleet.pools.size(), {});
}

void Checker::State::on(const Submitted& what) {
    const fleet::Demand& demand = what.demand;
    const auto exist = [&](const std::vector<PoolId>& pools) {
        return std::all_of(pools.begin(), pools.end(), [&](PoolId pool) {
            return pool.value < header->fleet.pools.size();
        });
    };
    const bool pools_exist =
        exist(demand.pools) && exist(what.barred) &&
        std::all_of(what.sizes.begin(), what.sizes.end(), [&](const Size& size) {
            return exist(size.demand.pools);
        });
    if (!sense(pools_exist && !jobs.contains(what.job) && !over.contains(what.job), [&] {
            return pools_exist
                       ? fmt::format("job {} is submitted twice", what.job.value)
                       : fmt::format("job {} names a pool that does not exist", what.job.value);
        })) {
        return;
    }
    ++report.jobs;
    Job& job = jobs[what.job];
    job.asked = what;
    job.accepts = pools_of_all_sizes(what);
    job.line = line;
    const auto house = quotas->find(what.organisation);
    sense(house.has_value(), [&] {
        return fmt::format(
            "job {} is of {}, which the header does not name", what.job.value, what.organisation);
    });
    job.house = house.value_or(0);
    came_in_front(what.priority);
    if (!counted) return;
    if (!what.after.empty() || what.array_at_once_max > 0) conditional.push_back(what.job);
    counted->submitted(what, asks(job), now);
}

void Checker::State::on(const Started& what) {
    Job* const job = known(what.job, Stage::waits, Rule::once, "starts");
    if (job == nullptr) return;
    ++report.starts;
    job->stage = Stage::runs;
    job->started = now;
    for (const After& after : job->asked.after) {
        const auto other = over.find(after.job);
        const bool ready = other != over.end() && came_as_asked(other->second, after.waits);
        expect(Rule::dependencies, ready, [&] {
            return fmt::format("job {} starts, and job {} {}",
                               what.job.value,
                               after.job.value,
                               other == over.end()
                                   ? std::string("has not ended")
                                   : fmt::format("came out as {}", name_of(other->second)));
        });
    }
    // Before it counts as started itself: its own array excuses only by other members.
    judge_promises(*job, now, "starts");
    settle_size(*job, what.size);
    job->promises.clear();
    job->expected = never;
    came_in_front(job->asked.priority);
    if (job->asked.array_at_once_max > 0) {
        Array& array = arrays[job->asked.array];
        ++array.running;
        array.started_line = line;
        expect(Rule::arrays, array.running <= job->asked.array_at_once_max, [&] {
            return fmt::format("job {} is member number {} that runs of array {}, which may be {}",
                               what.job.value,
                               array.running,
                               job->asked.array.value,
                               job->asked.array_at_once_max);
        });
    }
    if (well_formed(*job, what.on)) {
        judge_domain(*job, what.on);
        judge_health(*job, what.on, {});
        judge_apart(*job, what.on);
        judge_contract(*job, what.on);
        charge(*job, what.on.ranges.front().pool);
        if (!job->asked.data.empty()) {
            const std::string missing = data->missing(job->asked.data, what.on);
            judge_data(missing.empty()
                           ? ""
                           : fmt::format("job {} starts, and {}", what.job.value, missing));
            data->use(job->asked.data, what.on, true);
        }
        take(*job, what.on);
    } else if (counted) {
        counted->started(what.job, {}, now);
    }
    if (counted) ask_again();
}

void Checker::State::finish(JobId id, Came outcome, const Ended* end) {
    if (counted) settled.emplace(id, counted->settled(id, end, now));
    over[id] = outcome;
    jobs.erase(id);
    if (counted) ask_again();
}

void Checker::State::on(const Ended& what) {
    Job* const job = known(what.job, Stage::runs, Rule::sense, "ends");
    if (job == nullptr) return;
    ++report.ends;
    judge_limit(*job, now);
    books->give(job->asked.demand, job->on);
    data->use(job->asked.data, job->on, false);
    job->on.ranges.clear();
    discharge(*job);
    const bool came_out = what.outcome == Came::succeeded && !what.requeue;
    if (counted) {
        expect(Rule::waterfall, counted->stopped(what.job, what.spent, came_out, now), [&] {
            return fmt::format("job {} spent more time than it had", what.job.value);
        });
    }
    job->asked_to_stop = false;
    job->lost.clear();
    if (job->asked.array_at_once_max > 0) --arrays[job->asked.array].running;
    if (what.requeue) {
        job->stage = Stage::waits;
        came_in_front(job->asked.priority);
        if (counted) {
            counted->asks(what.job, asks(*job), now);
            ask_again();
        }
        return;
    }
    if (what.outcome != Came::cancelled) judge_deadline(*job, now, "ends");
    finish(what.job, what.outcome, came_out ? &what : nullptr);
}

void Checker::State::on(const Cancelled& what) {
    if (known(what.job, Stage::waits, Rule::sense, "is cancelled")) {
        finish(what.job, Came::cancelled);
    }
}

void Checker::State::on(const Promised& what) {
    Job* const job = known(what.job, Stage::waits, Rule::sense, "is promised a start");
    if (job == nullptr) return;
    const bool exist = std::all_of(what.nodes.begin(), what.nodes.end(), [&](const NodeRun& run) {
        return books->exists(run.pool, run.first, run.count);
    });
    if (what.by < never) {
        expect(Rule::sizes, may_be(*job, what.size), [&] {
            return fmt::format("job {} is promised a start in size {}, which is not open to it",
                               what.job.value,
                               what.size);
        });
    }
    sense(exist, [&] {
        return fmt::format("job {} is promised nodes that do not exist", what.job.value);
    });
    if (counted) counted->promised(what.job, exist ? what.nodes : std::vector<NodeRun>{}, now);
    if (quotas->any() && exist && !what.nodes.empty()) {
        const Job its = in_size(*job, what.size);
        const QuotaBooks::Charges charges = charges_in(its, what.nodes.front().pool);
        if (has_right(its, charges, std::max(now, what.by), true) ||
            has_right(its, charges, now, true))
            job->promised_rights.push_back({charges, what.by, what.size});
    }
    job->expected = what.by;
    if (what.by >= never) {
        job->promised_rights.clear();
        return;
    }
    while (!job->promises.empty() && job->promises.back().by >= what.by)
        job->promises.pop_back();
    job->promises.push_back({what.by, line});
    came_in_front(job->asked.priority);
}

void Checker::State::on(const Dropped& what) {
    const Job* const job = known(what.job, Stage::waits, Rule::sense, "is dropped");
    if (job == nullptr) return;
    if (what.cause == "over_quota") {
        bool never = true;
        for (std::uint32_t size = 0; size <= job->asked.sizes.size(); ++size) {
            const Job its = in_size(*job, size);
            const std::vector<PoolId>& pools = its.asked.demand.pools;
            never = never && std::none_of(pools.begin(), pools.end(), [&](PoolId pool) {
                        return might_ever(its, charges_in(its, pool));
                    });
        }
        expect(Rule::quota, never, [&] {
            return fmt::format("job {} is dropped as over_quota, and {} might have so much",
                               what.job.value,
                               quotas->name_of(job->house));
        });
    }
    finish(what.job, Came::cancelled);
}

void Checker::State::on(const Preempted& what) {
    Job* const victim = known(what.job, Stage::runs, Rule::preemption, "is to stop");
    if (victim == nullptr) return;
    expect(Rule::preemption, !victim->asked_to_stop, [&] {
        return fmt::format("job {} is asked to stop a second time", what.job.value);
    });
    victim->asked_to_stop = true;
    if (!what.for_job.valid()) return;  // watts come before everybody's rights
    const Job* const winner = known(what.for_job, Stage::waits, Rule::preemption, "gets the room");
    if (winner == nullptr) return;
    what.cause == "reclaimed" ? judge_reclaim(*victim, *winner) : judge_class(*victim, *winner);
    expect(Rule::preemption, now - victim->started >= header->min_run, [&] {
        return fmt::format("job {} is stopped after {} s; everybody may run for {} s",
                           what.job.value,
                           as_seconds(now - victim->started),
                           as_seconds(header->min_run));
    });
    preempted.push_back(now);
    while (now - preempted.front() >= seconds(3600))
        preempted.pop_front();
    expect(Rule::preemption, preempted.size() <= header->preemptions_per_hour_max, [&] {
        return fmt::format("job {} is number {} that is stopped within an hour; {} may be",
                           what.job.value,
                           preempted.size(),
                           header->preemptions_per_hour_max);
    });
}

void Checker::State::on(const NodeLost& what) {
    Job* const job = known(what.job, Stage::runs, Rule::sense, "loses a node");
    if (job == nullptr) return;
    const bool its = job->asked.replace_failed && contains(job->on, what.pool, what.node);
    sense(its, [&] {
        return fmt::format("job {} loses a node that it does not hold, or may not go on without",
                           what.job.value);
    });
    if (its) job->lost.emplace_back(what.pool, what.node);
}

void Checker::State::on(const Replaced& what) {
    Job* const job = known(what.job, Stage::runs, Rule::replacement, "gets another node");
    if (job == nullptr || !well_formed(*job, what.on)) return;
    std::string problem = job->lost.empty() ? "it has lost no node" : "";
    for (const auto& [pool, node] : job->lost) {
        if (books->health(pool, node) != Health::up && contains(what.on, pool, node)) {
            problem = fmt::format("node {} has failed and is still in it", node);
        }
    }
    for (const fleet::NodeRange& range : job->on.ranges) {
        for (std::uint32_t node = range.first; node < range.first + range.count; ++node) {
            const bool failed =
                std::find(job->lost.begin(), job->lost.end(), std::pair(range.pool, node)) !=
                job->lost.end();
            if (!failed && !contains(what.on, range.pool, node)) {
                problem = fmt::format("node {} has not failed and was taken away", node);
            }
        }
    }
    expect(Rule::replacement, problem.empty(), [&] {
        return fmt::format("job {} goes on with other nodes: {}", what.job.value, problem);
    });
    judge_domain(*job, what.on);
    judge_health(*job, what.on, job->on);
    judge_apart(*job, what.on);
    judge_contract(*job, what.on);
    books->give(job->asked.demand, job->on);
    discharge(*job);
    charge(*job, what.on.ranges.front().pool);
    if (counted) {
        expect(Rule::waterfall, counted->stopped(what.job, what.spent, false, now), [&] {
            return fmt::format("job {} spent more time than it had", what.job.value);
        });
    }
    job->lost.clear();
    take(*job, what.on);
}

void Checker::State::on(const NodeHealth& what) {
    if (!sense(books->exists(what.pool, what.node, 1),
               [&] { return fmt::format("there is no node {} in its pool", what.node); })) {
        return;
    }
    books->set_health(what.pool, what.node, what.health);
    if (counted) counted->set_health(what.pool, what.node, what.health, now);
    if (what.health != Health::up) pool_excuses[what.pool.value][0] = line;
}

void Checker::State::on(const CapSet& what) {
    const bool pool_exists = what.domain.pool.value < header->fleet.pools.size();
    const double before = pool_exists ? books->cap(what.domain) : 0;
    if (!sense(pool_exists && books->set_cap(what.domain, what.watts), [&] {
            return fmt::format(
                "there is no {} {}", fleet::name_of(what.domain.level), what.domain.number);
        })) {
        return;
    }
    if (counted) counted->set_cap(what.domain, what.watts, now);
    const auto bound = [](double cap) {
        return cap > 0 ? cap : std::numeric_limits<double>::infinity();
    };
    if (bound(what.watts) >= bound(before)) return;
    const std::string& site = header->fleet.pool(what.domain.pool).site;
    for (std::size_t i = 0; i < pool_excuses.size(); ++i) {
        const bool touched = what.domain.level == fleet::Level::site
                                 ? header->fleet.pools[i].site == site
                                 : i == what.domain.pool.value;
        if (touched) pool_excuses[i][1] = line;
    }
}

void Checker::State::on(const SetApart& what) {
    const bool exist = std::all_of(what.nodes.begin(), what.nodes.end(), [&](const NodeRun& run) {
        return books->exists(run.pool, run.first, run.count);
    });
    const bool fresh = std::none_of(
        apart.begin(), apart.end(), [&](const SetApart& one) { return one.id == what.id; });
    if (!sense(exist && fresh, [&] {
            return fmt::format("reservation {} {}",
                               what.id.value,
                               fresh ? "is of nodes that do not exist" : "is made twice");
        })) {
        return;
    }
    std::erase_if(apart, [&](const SetApart& one) { return one.until <= now; });
    apart.push_back(what);
    if (counted) counted->set_apart(what, now);
    for (const NodeRun& run : what.nodes)
        pool_excuses[run.pool.value][2] = line;
}

void Checker::State::on(const Copied& what) {
    judge_data(data->ordered(what, now));
    if (header->fleet.links.empty() && !std::exchange(told_of_no_links, true)) {
        report.unsaid.push_back(
            {header_line,
             "its header has no links, as those that were written before copies named theirs: that "
             "each link carries one copy at a time, and no faster than it can, is not checked"});
    }
}
void Checker::State::on(const Arrived& what) {
    judge_data(data->arrived(what, now));
    if (counted) counted->set_data(what.dataset, what.site, true, now);
}
void Checker::State::on(const Forgotten& what) {
    judge_data(data->forgotten(what));
    if (counted) counted->set_data(what.dataset, what.site, false, now);
}

void Checker::State::on(const GivenBack& what) {
    std::erase_if(apart, [&](const SetApart& one) { return one.id == what.id; });
    if (counted) counted->given_back(what.id, now);
}

void Checker::State::on(const Account& what) {
    if (!counted) return has_no_unit();
    sense(settled && settled->first == what.job, [&] {
        return fmt::format("the account of job {} does not stand behind its end", what.job.value);
    });
}

void Checker::State::on(const Waterfall& what) {
    closed = true;
    if (!counted) return has_no_unit();
    judge_waterfall(what);
}

// Once for each run.
void Checker::State::has_no_unit() {
    if (std::exchange(told_of_no_unit, true)) return;
    sense(false, [] {
        return std::string(
            "it says where chip-seconds went, and the header of its run has no counted_in, which "
            "says of what: nothing of this kind can be checked here");
    });
}

// ---------------------------------------------------------------------------------------------

void Checker::State::close_run() {
    std::vector<JobId> open;
    open.reserve(jobs.size());
    for (const auto& [id, job] : jobs)
        open.push_back(id);
    std::sort(open.begin(), open.end());
    for (const JobId id : open) {
        const Job& job = jobs.at(id);
        if (job.stage == Stage::runs) {
            judge_limit(job, now);
        } else {
            // A promise that is still in the future was neither kept nor broken.
            const bool due = !job.promises.empty() && job.promises.front().by + tolerance < now;
            if (due) judge_promises(job, now, "still waits");
        }
        if (job.asked.deadline + tolerance < now) judge_deadline(job, now, "has not ended");
    }
    judge_account(nullptr);
    judge_unjudged();
    judge_lending();
    if (counted) {
        sense(closed, [] {
            return std::string(
                "the log ends early: the last line of a run that counts is its waterfall, and this "
                "run has none; what came after its last line is not judged");
        });
        Split& all = report.waterfalls.emplace_back();
        for (const Waterfall::Row& pool : counted->until(now).pools) {
            for (std::size_t way = 0; way < ways; ++way)
                all.of[way] += pool.split.of[way];
        }
    }
    header.reset();
    books.reset();
    quotas.reset();
    plain.reset();
    loans = {};
    unjudged = {};
    loans_changed_line = 0;
    data.reset();
    counted.reset();
    closed = told_of_no_unit = told_of_no_links = false;
    conditional.clear();
    jobs.clear();
    over.clear();
    arrays.clear();
    apart.clear();
    preempted.clear();
    pool_excuses.clear();
    higher_came = {};
    now = Time::min();
}

Checker::Checker() : state_(std::make_unique<State>()) {}
Checker::~Checker() = default;
Checker::Checker(Checker&&) noexcept = default;
Checker& Checker::operator=(Checker&&) noexcept = default;

namespace {

// Whoever wrote it had heard all of its moment.
bool decides(const What& what) {
    return std::holds_alternative<Started>(what) || std::holds_alternative<Promised>(what) ||
           std::holds_alternative<Preempted>(what) || std::holds_alternative<Dropped>(what);
}

}  // namespace

void Checker::add(const Record& record, std::uint64_t line) {
    State& state = *state_;
    state.line = line;
    ++state.report.lines;
    const bool begins = std::holds_alternative<Header>(record.what);
    const auto* const account = std::get_if<Account>(&record.what);
    if (!begins) {
        state.sense(!state.closed, [] {
            return std::string("it stands behind the waterfall, which is the last line of a run");
        });
        if (!state.sense(state.header.has_value(),
                         [] { return std::string("it stands before the first header"); })) {
            return;
        }
        state.sense(record.at >= state.now, [&] {
            return fmt::format(
                "time goes back from {} to {}", at_text(state.now), at_text(record.at));
        });
        state.loans_come_to(std::max(state.now, record.at), decides(record.what));
        state.now = std::max(state.now, record.at);
        if (account == nullptr) state.judge_account(nullptr);
    }
    std::visit([&](const auto& what) { state.on(what); }, record.what);
    if (account != nullptr) state.judge_account(account);
    if (begins) state.now = record.at;
}

const Report& Checker::finish() {
    state_->close_run();
    return state_->report;
}

}  // namespace weir::audit
