// The state of the engine, and what can be done to it; private to the files engine*.cpp, pass.cpp,
// first.cpp, strict_order.cpp, room_made.cpp, reclaim.cpp, loans.cpp, follow.cpp, outlook.cpp,
// takeover.cpp, obstacle.cpp, counterfactual.cpp, data.cpp, sizes.cpp and explain.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weir/base/digest.hpp"
#include "weir/sched/engine.hpp"
#include "weir/sched/first.hpp"
#include "weir/sched/history.hpp"
#include "weir/sched/job_table.hpp"
#include "weir/sched/plan.hpp"
#include "weir/sched/running.hpp"
#include "weir/sched/staging.hpp"
#include "weir/sched/victims.hpp"
#include "weir/sched/waiting.hpp"

namespace weir::sched {

struct DemandHash {
    std::size_t operator()(const fleet::Demand& demand) const noexcept {
        Digest digest;
        digest.add(static_cast<std::uint32_t>(demand.within));
        digest.add(std::uint64_t{demand.tag} << 8 | static_cast<std::uint32_t>(demand.prefer));
        for (const fleet::GangPart& part : demand.parts) {
            digest.add(std::uint64_t{part.replicas} << 32 | part.each.chips);
            digest.add(std::uint64_t{part.each.chip_permille} << 32 | part.each.cpus_milli);
            digest.add(part.each.memory.count);
        }
        for (const PoolId pool : demand.pools)
            digest.add(pool.value);
        return static_cast<std::size_t>(digest.value());
    }
};

// watts: 0 = none.
void set_budget(fleet::FreeIndex& index, const PowerDomain& domain, double watts);

struct Engine::State {
    struct Array {
        std::uint32_t alive = 0;  // members that wait or run
        std::uint32_t running = 0;
        std::uint32_t eligible = 0;  // members that wait and may start
        std::uint32_t at_once_max = 0;
        std::set<std::pair<Rank, std::uint32_t>> parked;  // members that wait for others of it
    };
    struct Dependent {
        JobId job;
        Needs needs = Needs::success;
    };
    struct Doomed {
        JobId job;
        JobId because_of;
    };
    struct SetApart {
        Advance advance;
        bool begun = false;
    };
    struct WithData {  // a job that reads datasets and has not ended
        fleet::Demand asked;
        std::vector<DatasetId> datasets;
        SiteId home;     // where its data is brought; none while its dependencies are not met
        SiteId runs_at;  // while it runs
        // When all of it is expected at its home, and from when on that is not believed any more.
        Time there_at = never;
        Time late_at = never;
    };
    // In time, by a duration that may be for ever.
    static Time end_of(Time start, Duration takes) {
        return takes >= forever || start == never ? never : start + takes;
    }
    struct WithSizes {  // a job that may run in several sizes and has not ended
        std::vector<Size> sizes;
        std::vector<std::uint32_t> shapes;  // of each where it may run now; no_shape = nowhere
        std::uint32_t current = 0;
        bool is_settled = false;       // it has started
        std::uint64_t looked_for = 0;  // changes around it, when it was last chosen
        // What was known when it started: what another size would have come to.
        std::string instead{};
    };
    static constexpr std::uint32_t no_shape = ~std::uint32_t{0};
    struct Lost {  // a node of a gang that wants another one
        JobId job;
        PoolId pool;
        std::uint32_t node = 0;
    };
    State(fleet::Fleet its_fleet, Policy its_policy, tenancy::Rights its_rights);

    fleet::Fleet fleet;
    Policy policy;
    fleet::FreeIndex free;  // now
    Plan plan;              // and later
    Quotas quotas;
    Staging staging;
    std::map<JobId, WithData> with_data;
    std::map<JobId, WithSizes> with_sizes;
    std::set<std::pair<Rank, std::uint32_t>> sizing;    // those of them that wait, their size open
    std::set<JobId> homeless;                           // readers that wait for a home
    std::set<std::pair<Rank, std::uint32_t>> awaiting;  // readers whose data is on its way home
    bool room_for_data = false;                // some of these may get one since the last event
    std::vector<__int128> backlog;             // by site: work that waits
    bool data_matters = false;                 // somebody read a dataset, or there are some
    std::vector<Decision> told_later;          // in the next pass
    std::optional<fleet::FreeIndex> empty;     // nothing taken; made when somebody asks
    std::optional<fleet::FreeIndex> deserted;  // the same as the fleet is today; then kept up
    JobTable jobs;
    Queue queue;                                        // all that wait for room
    std::set<std::pair<Rank, std::uint32_t>> promised;  // those of them that hold a promise
    std::vector<Queue> queue_of_tenant;  // the same by organisation; only in strict order
    Waiting waiting;                     // the others, by shape, in the order of the queue ...
    Waiting overtaking;  // ... and in the order in which they may overtake, where that is another
    // Where there are organisations, both by line as well, and those who run by organisation.
    Waiting waiting_in_line;
    Waiting overtaking_in_line;
    std::vector<Ordered> running_of_tenant;
    Shapes shapes;
    Lines lines;
    std::vector<std::uint32_t> unused_lines;  // that may become others
    std::unordered_map<fleet::Demand, std::uint32_t, DemandHash> shape_of_demand;
    std::uint32_t shapes_in_use = 0;           // by jobs that wait or run
    std::vector<std::uint32_t> unused_shapes;  // that may become others
    struct ShapeOfPool {
        std::uint32_t shape = 0;
        std::uint32_t domain = 0;  // of the shape's, in which the pool is
    };
    std::vector<std::vector<ShapeOfPool>> shapes_of_pool;  // that have eligible jobs
    std::vector<std::uint32_t> to_try;                     // shapes that something changed for
    std::vector<std::uint64_t> changes;                    // by pool: whatever may move a promise
    std::vector<std::uint64_t> gains;                      // by pool: only what makes room
    static constexpr std::uint32_t lanes = 4;              // classes of priority, 0 = urgent
    static constexpr std::uint32_t high_lane = 1;          // and above: may have others stopped
    std::uint32_t high_waiting = 0;                        // eligible jobs of these classes
    // A promise to somebody who has to borrow does not keep owners from having one: the lanes of
    // borrowers come after all lanes of owners. Who will own only when a loan begins or ends has
    // lanes of its own, and is in nobody's way.
    static constexpr std::uint32_t first_ahead = 2 * lanes;
    static constexpr std::uint32_t grades = 3 * lanes;
    std::vector<std::uint32_t> promises_of_pool;  // by pool and grade
    Time reclaims_at = never;  // in strict order, an owner tries again to have others stopped
    History history;
    std::unordered_map<JobId, Array> arrays;  // only throttled ones
    std::unordered_map<JobId, std::vector<Dependent>> dependents;
    std::unordered_map<JobId, std::vector<Dependency>> dependencies;  // of held jobs
    std::vector<Doomed> doomed;  // their dependency failed; dropped in the next pass
    std::vector<std::vector<NodeHealth>> health;
    std::map<std::pair<PoolId, std::uint32_t>, Time> suspects;  // nodes, and until when
    std::map<AdvanceId, SetApart> set_apart;
    // Watts that were set, or that were found exceeded: budgets to look after in every pass.
    std::map<PowerDomain, double> caps;
    std::set<PowerDomain> over_power;  // that were found over their budget and told
    std::set<std::uint32_t> due;       // slots with a deadline and without a promise
    std::vector<Lost> lost;
    Classes classes;               // who may be stopped for whom
    std::deque<Time> preemptions;  // of the last hour
    // How many are being stopped for a job, which may not be known yet or any more.
    std::unordered_map<JobId, std::uint32_t> making_room;
    std::set<std::uint32_t> stopping;  // slots of those who are
    Running running;
    std::int64_t plan_credit = 0;     // work that may be spent on planning; below 0: too much was
    std::int64_t size_credit = 0;     // likewise, for choosing sizes
    std::int64_t reclaim_credit = 0;  // in this pass, for whom owners may have stopped
    std::uint64_t step = 1;           // counts changes
    std::uint64_t submissions = 0;
    std::uint64_t passes = 0;
    std::uint64_t choices = 0;  // of who is promised something next
    Counts counts;
    Digest digest;
    fleet::Placement found;      // scratch
    Time told_at = Time::min();  // of the last event or pass

    // engine.cpp: what happened
    void on(const JobSubmitted& event);
    void on(const JobEnded& event);
    void on(const JobCancelled& event);
    void on(const NodeChanged& event);
    void on(const Checkpointed& event);
    void on(const ReplicaLost& event);
    void on(const PowerCapSet& event);
    void on(const AdvanceMade& event);
    void on(const AdvanceEnded& event);
    void on(const DatasetStaged& event);
    void on(const DatasetMade& event);
    void on(const DatasetLost& event);
    void on(const LoanChanged& event);
    void advance(Time to);
    std::uint32_t shape_for(const fleet::Demand& demand);
    std::uint32_t line_for(std::uint32_t shape, TenantId tenant);
    void forget_shapes();
    void charge(Job& job, PoolId pool, Time until);
    void discharge(Job& job);
    void retry_rights(const tenancy::Charges& charges);
    // The shape of a job where it may start: in some kinds of pools only, by its rights.
    [[nodiscard]] const fleet::Shape& shape_in(std::uint32_t shape, KindSet allowed);
    // The kinds in which a job that waits may start, or may keep its promise.
    [[nodiscard]] KindSet allowed_for(const Job& job) const { return allowed_for(job, told_at); }
    [[nodiscard]] KindSet allowed_for(const Job& job, Time start) const;
    [[nodiscard]] std::vector<std::uint32_t> behind_it(const Job& job) const;
    [[nodiscard]] KindSet owned_in_order(const Job& job) const;
    template <class Visit>
    void for_who_shares(PoolId pool, Visit visit) const;
    void retry(PoolId pool);
    void gained(PoolId pool);
    void gained(const fleet::Placement& placement);
    void try_again(std::uint32_t shape);
    void may_wait_for_room(std::uint32_t slot);
    void enter(std::uint32_t slot);  // pending: into the queue
    void leave(std::uint32_t slot);  // out of it
    void make_eligible(std::uint32_t slot);
    void make_ineligible(std::uint32_t slot);
    void unpark(JobId array);
    void finish(JobId id, Outcome outcome);
    void give_room(std::uint32_t slot);
    void started(std::uint32_t slot, Time at, Cause cause);
    void drop(std::uint32_t slot);
    void promise(std::uint32_t slot, Place place);
    void withdraw(std::uint32_t slot);
    void forget_promise(std::uint32_t slot);
    void stop(std::uint32_t slot, JobId for_job, Time by, Time at);
    void move(std::uint32_t slot, const fleet::Placement& to);
    void watch_budgets(const fleet::Placement& placement);
    [[nodiscard]] fleet::FreeIndex::PowerUse use_of(const PowerDomain& domain) const;
    [[nodiscard]] fleet::FreeIndex emptied() const;
    // Changes what there is, whoever uses it.
    template <class Change>
    void change_supply(Change change) {
        change(free);
        if (deserted) change(*deserted);
    }
    // Each pool of the placement once.
    template <class Change>
    static void for_pools_of(const fleet::Placement& placement, Change change) {
        std::vector<PoolId> seen;
        for (const fleet::NodeRange& range : placement.ranges) {
            if (std::find(seen.begin(), seen.end(), range.pool) != seen.end()) continue;
            seen.push_back(range.pool);
            change(range.pool);
        }
    }
    void end_advance(const SetApart& apart);
    [[nodiscard]] Time date_of(const Job& job, Duration takes) const;
    [[nodiscard]] bool is_promised(JobId job, Time at) const;
    void note_promise(JobId job, Time at);

    // follow.cpp: what was decided before
    Result<void> follow(const Start& start, Cause cause, Time at);
    Result<void> follow(const Reserve& reserve, Cause cause, Time at);
    Result<void> follow(const Drop& dropped, Cause cause, Time at);
    Result<void> follow(const Preempt& preempt, Cause cause, Time at);
    Result<void> follow(const Replace& replace, Cause cause, Time at);
    Result<void> follow(const OverPower& over, Cause cause, Time at);
    Result<void> follow(const Stage& stage, Cause cause, Time at);
    Result<void> follow(const Forget& forget, Cause cause, Time at);
    void begin_anew();
    template <class What>
    bool found_already(const What& what);
    void wait_where_its_data_is(std::uint32_t slot, SiteId site);

    // data.cpp: jobs that read datasets
    struct Home {
        SiteId site;
        Time starts = never;  // as it is expected
        Time data_there = never;
        Time ends = never;  // likewise; of a job with one size, when it starts
    };
    // What it may use at a site, by rights and by room in the empty fleet; none: it would wait
    // there for ever.
    [[nodiscard]] std::optional<fleet::Shape> shape_at(const fleet::Demand& asked,
                                                       TenantId tenant,
                                                       SiteId site);
    [[nodiscard]] Home home_at(SiteId site,
                               const Size& size,
                               TenantId tenant,
                               const std::vector<DatasetId>& datasets,
                               Time now);
    [[nodiscard]] Home best_home(std::span<const Size> sizes,
                                 TenantId tenant,
                                 const std::vector<DatasetId>& datasets,
                                 Time now);
    [[nodiscard]] bool all_at(const std::vector<DatasetId>& datasets, SiteId site) const;
    void count_backlog(Job& job, bool enters);
    void want_data(std::uint32_t slot);
    void order_missing(JobId job);
    void admit(std::uint32_t slot);
    void narrow(std::uint32_t slot);
    void reshape(std::uint32_t slot, const fleet::Demand& demand);
    // When it could start for all that is known of its data; `never`: nobody can say.
    [[nodiscard]] Time ready_at(const Job& job, Time now) const;
    [[nodiscard]] bool is_late_for_promise(const Job& job, Time now) const;
    [[nodiscard]] bool may_be_promised_ahead(const Job& job, Time now) const;
    [[nodiscard]] bool somebody_before(const Front& front);
    void promise_ahead(Time now, const Front* before, std::vector<Decision>& decisions);
    void review_users_of(DatasetId dataset);
    void review(JobId job);
    void leave_home(WithData& its);
    void use_data(const Job& job);
    void stop_using_data(const Job& job);
    void forget_data(JobId job);
    void seek_homes();
    [[nodiscard]] std::string data_in_words(const WithData& its, Time now) const;

    // sizes.cpp: jobs that may run in several sizes
    struct SizeChoice {
        std::uint32_t size = 0;
        Place place;
        Time ends = never;  // by what it probably takes
    };
    void enter_sizes(std::uint32_t slot, const Request& request);
    // All of them, or those of the sizes that it does not wait with.
    void list_shapes(std::uint32_t slot, bool all = true);
    // As it would wait with that size, promised nothing.
    [[nodiscard]] static Job in_size(const Job& job, const WithSizes& its, std::uint32_t size);
    void forget_sizes(JobId job);
    [[nodiscard]] SizeChoice choose_size(std::uint32_t slot, Time now, Time starts_by);
    [[nodiscard]] std::vector<SizeChoice> all_sizes(std::uint32_t slot, Time now);
    [[nodiscard]] Place earliest_in_size(
        const Job& job, const WithSizes& its, std::uint32_t size, Time from, Time not_after);
    [[nodiscard]] std::uint64_t changes_for_sizes(const WithSizes& its) const;
    void take_size(std::uint32_t slot, std::uint32_t size);
    [[nodiscard]] bool may_choose_size() const;
    void charge_for_size(std::uint64_t work_before);
    void choose_sizes(Time now, std::vector<Decision>& decisions);
    bool choose_size_of_waiting(std::uint32_t slot, Time now);
    void settle_size(std::uint32_t slot, std::uint32_t size);
    [[nodiscard]] std::uint32_t chosen_size(JobId job) const;
    [[nodiscard]] std::string size_in_words(const Size& size) const;
    [[nodiscard]] std::string sizes_in_words(std::uint32_t slot, Time now);
    void counterfactuals_of_sizes(const Job& job,
                                  std::span<const Size> other_sizes,
                                  Time now,
                                  std::vector<Counterfactual>& all);
    void note_other_sizes(std::uint32_t slot, Time now);
    void narrow_sizes(std::uint32_t slot);
    void begin_sizes_anew();
    Result<void> follow_size(std::uint32_t slot, std::uint32_t size);

    // first.cpp: who is first among those who wait
    Firsts firsts;
    std::uint64_t looks = 0;  // counts choices among lines
    [[nodiscard]] Front front_of(std::uint32_t shape);
    [[nodiscard]] bool is_front_known(std::uint32_t shape);
    [[nodiscard]] Front front_of_untried(std::uint32_t shape, Time now);
    [[nodiscard]] Front first_untried(std::uint32_t shape, Time now) const;
    template <class First>
    [[nodiscard]] Front front_by(std::uint32_t shape,
                                 bool starts_now,
                                 FirstOfShape& known,
                                 First first);
    [[nodiscard]] const FirstOfLine& look_ahead_in(std::uint32_t number, const Front& best);
    [[nodiscard]] const tenancy::Standing& place_of(Line& line) const;
    void judge(const Line& line, bool any_time, bool starts_now, Front& its) const;
    [[nodiscard]] tenancy::Standing standing_of(const Job& job, KindSet allowed) const;
    [[nodiscard]] Duration longest_now(const Line& line) const;

    // strict_order.cpp: who is next where nobody overtakes
    void in_strict_order(Time now, std::vector<Decision>& decisions);
    void in_strict_orders(Time now, std::vector<Decision>& decisions);

    // pass.cpp: what happens next
    void decide(Time now, std::vector<Decision>& decisions);
    void come_to(Time now);
    void drop_doomed(std::vector<Decision>& decisions);
    void keep_promises(Time now, std::vector<Decision>& decisions);
    void make_promises(Time now, std::vector<Decision>& decisions);
    void overtake(Time now, std::vector<Decision>& decisions);
    bool find_now(std::uint32_t slot, Time now, KindSet allowed);
    [[nodiscard]] bool fits_at_all(const ShapeInfo& shape);
    [[nodiscard]] bool could_hold(std::uint32_t shape) const;
    void start(std::uint32_t slot, Time now, Cause cause, std::vector<Decision>& decisions);
    void reserve(std::uint32_t slot, Place place, std::vector<Decision>& decisions);
    [[nodiscard]] std::uint64_t changes_of(const fleet::Shape& shape) const;
    [[nodiscard]] static std::uint32_t domain_of(const fleet::Shape& shape, PoolId pool);
    [[nodiscard]] std::uint64_t changes_around(const Job& job) const;
    [[nodiscard]] std::uint64_t gains_in(const std::vector<PoolId>& pools) const;
    [[nodiscard]] bool may_start(std::uint32_t slot, Time now);
    void cannot_start(std::uint32_t slot);
    [[nodiscard]] std::uint32_t grade_of(const Job& job) const;
    [[nodiscard]] bool has_room_for_promise(PoolId pool, std::uint32_t grade) const;
    [[nodiscard]] Place place_for(std::uint32_t slot, Time now, const Plan::Own& own);
    [[nodiscard]] Place place_with(std::optional<Place> made_room,
                                   std::uint32_t slot,
                                   Time now,
                                   const Plan::Own& own);
    [[nodiscard]] bool may_plan(std::uint64_t runs) const;
    void charge_for_planning(std::uint64_t work_before);
    [[nodiscard]] bool may_plan(const Job& job) const;
    [[nodiscard]] Cause cause_of_overtaking(const fleet::Placement& placement, Time end) const;
    void announce(std::vector<Decision>& decisions, Decision decision);

    // room_made.cpp: what stops
    std::optional<Place> make_room(std::uint32_t slot,
                                   Time now,
                                   const Plan::Own& own,
                                   std::vector<Decision>& decisions);
    void charge_for_reclaim(std::uint64_t work);
    [[nodiscard]] Place left_by_others(const Job& job,
                                       const fleet::Shape& shape,
                                       Time now,
                                       const Plan::Own& own);
    void keep_budgets(Time now, std::vector<Decision>& decisions);
    void replace_lost(Time now, std::vector<Decision>& decisions);
    [[nodiscard]] Time next_stop_rule(const Job& job) const;
    [[nodiscard]] Time stopped_by(const Job& job, Time now) const;
    [[nodiscard]] bool protected_now(const Job& job, Time now) const;
    [[nodiscard]] Time next_stop_rule(Time after) const;
    [[nodiscard]] std::size_t stops_left(Time now);
    [[nodiscard]] Time stops_from(Time now);
    // Those who may be stopped for a job but for the hard rules: first those who borrow from it.
    struct Stoppable {
        std::vector<std::uint32_t> slots;
        std::size_t borrowers = 0;  // so many of them
    };
    [[nodiscard]] Stoppable stoppable_for(const Job& job,
                                          Time from,
                                          std::size_t borrowers_max) const;
    [[nodiscard]] std::optional<std::uint32_t> rank_of(const Stoppable& all,
                                                       std::size_t i,
                                                       const Job& job) const;
    [[nodiscard]] std::vector<Explanation::NotYet> not_to_be_stopped_yet(const Job& job, Time now);
    [[nodiscard]] std::int64_t draw_in(const Job& job, const PowerDomain& domain) const;
    [[nodiscard]] bool find_other_node(const Job& job, const Lost& each, fleet::Placement& to);
    [[nodiscard]] bool find_instead(const Job& job, const Lost& each, const fleet::NodeRange& gone);

    // loans.cpp: rights that begin and end
    [[nodiscard]] std::optional<Quotas::Held> held_by(const Job& job) const;
    [[nodiscard]] Quotas::Run run_of(const Job& job, Time start) const {
        return {start, job.limit >= forever ? never : start + job.limit};
    }
    void loans_come_to(Time now);
    void grade_anew(std::uint32_t slot);
    [[nodiscard]] std::uint32_t grade_by_rights(const Job& job) const;
    void rebuild_rights(Time now);
    void withdraw_unfounded(std::vector<Decision>& decisions);
    // When it may start first, for all that rights say, and where then; in no kind: not by what is
    // known.
    struct Chance {
        Time from = never;
        KindSet allowed = 0;
    };
    [[nodiscard]] Chance first_chance(const Job& job) const;
    // Whose it is, and from when on.
    struct Ownership {
        Time from;
        KindSet kinds = 0;
    };
    [[nodiscard]] Ownership ownership_of(const Job& job) const;
    // As Plan::earliest(), where it has a right to be.
    [[nodiscard]] Place earliest_by_rights(const Job& job,
                                           Time from,
                                           const Plan::Own& own,
                                           const std::function<bool(PoolId)>& is_wanted = {},
                                           Time not_after = never);
    // Why it has no right now, where that is a loan; "" = it is not.
    [[nodiscard]] std::string loan_in_its_way(const Job& job) const;
    bool rights_changed = false;  // so that a promise may have no ground any more

    // reclaim.cpp: what owners may take back
    void give_way(std::uint32_t slot, Time now, std::vector<Decision>& decisions);
    [[nodiscard]] bool may_stop_others(const Job& job) const;
    [[nodiscard]] bool reclaims_now(const Job& job, Time now) const;
    [[nodiscard]] std::vector<std::uint32_t> borrowers_from(const Job& job,
                                                            Time at,
                                                            std::size_t most) const;

    // outlook.cpp: what is expected
    struct Outlook {  // estimates for those behind the promises, while nothing changes
        std::uint64_t step = 0;
        Time at{};
        std::unordered_map<JobId, Time> starts;
        // By shape and limit, for a start from then on in these kinds.
        std::map<std::tuple<std::uint32_t, Duration, Time, KindSet>, Time> alone;
        using Asks = std::tuple<TenantId, std::uint32_t, Duration>;  // tenant, shape, limit
        std::map<Asks, Chance> rights;                               // of those who have none now
        std::uint64_t work_left = 0;
    };
    Outlook outlook;
    void look_ahead(Time now);
    void look_ahead_for_rights(Time now);
    [[nodiscard]] Time earliest_alone(const Job& job, Chance chance);

    // obstacle.cpp: what is in the way beside those who run. No words: none of these alone.
    struct Obstacle {
        Cause cause = Cause::waits_for_room;
        Time until = never;
        std::string words;
    };
    class Lifting;
    class Trial;
    [[nodiscard]] Obstacle obstacle_for(const Job& job, Time now);
    // counterfactual.cpp
    [[nodiscard]] bool may_overtake(const Job& job) const;

    [[nodiscard]] Obstacle obstacle_in_time(const Job& job, Time now);
    [[nodiscard]] fleet::FreeIndex without_jobs() const;
};

}  // namespace weir::sched
