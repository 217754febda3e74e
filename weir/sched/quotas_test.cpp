// Lending, borrowing and giving back, in worlds that are small enough to be played in every order.
#include "weir/sched/quotas.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "weir/sched/engine.hpp"
#include "weir/tenancy/quota_tree_reference.hpp"
#include "weir/tenancy/small_house.hpp"

namespace weir::sched {
namespace {

using tenancy::Amount;
using tenancy::Organisations;
using tenancy::PlainTree;
using tenancy::small_fleet;
using tenancy::small_house;

struct Wish {
    TenantId tenant;
    std::uint32_t chips = 1;
    Duration runs = seconds(3600);
    Time at{};
};

// Drives an engine over wishes, without notice and without checkpoints: whoever is stopped is gone
// at once and begins again. Watches over the rules that hold whatever the policy.
class World {
public:
    World(const Organisations& house, std::uint32_t capacity, const Policy& policy)
        : house_(house),
          capacity_(capacity),
          by_submission_(policy.order == Order::submission),
          engine_(
              small_fleet(capacity), policy, tenancy::rights_on(small_fleet(capacity), house, {})) {
    }

    JobId submit(const Wish& wish, Time now) {
        const JobId id{wishes_.size() + 1};
        wishes_[id] = wish;
        Request request;
        request.job = id;
        request.demand.pools = {PoolId{0}};
        request.demand.parts = {{.replicas = 1, .each = {.chips = wish.chips}}};
        request.limit = wish.runs;
        request.tenant = wish.tenant;
        engine_.apply(JobSubmitted{request}, now);
        return id;
    }
    void end(JobId job, Time now) {
        running_.erase(job);
        engine_.apply(JobEnded{job}, now);
    }
    // Passes until nothing more happens at this instant.
    std::vector<JobId> decide(Time now) {
        std::vector<JobId> started;
        for (bool again = true; again;) {
            again = false;
            std::vector<Decision> decisions;
            engine_.decide(now, decisions);
            std::vector<JobId> stopped;
            for (const Decision& decision : decisions) {
                if (const auto* start = std::get_if<Start>(&decision.what)) {
                    check_start(start->job);
                    running_[start->job] = now;
                    started.push_back(start->job);
                }
                if (const auto* preempt = std::get_if<Preempt>(&decision.what)) {
                    EXPECT_EQ(name_of(decision.why.cause), name_of(Cause::reclaimed));
                    check_stop(*preempt);
                    running_.erase(preempt->job);
                    stopped.push_back(preempt->job);
                }
            }
            for (const JobId job : stopped) {
                engine_.apply(JobEnded{job, Outcome::cancelled, true}, now);
                again = true;
            }
        }
        return started;
    }

    [[nodiscard]] const std::map<JobId, Time>& running() const { return running_; }
    [[nodiscard]] const Wish& wish(JobId job) const { return wishes_.at(job); }
    [[nodiscard]] Engine& engine() { return engine_; }

private:
    [[nodiscard]] PlainTree used() const {
        PlainTree tree(house_, Amount{capacity_} * 1000);
        for (const auto& [job, since] : running_)
            tree.use(wishes_.at(job).tenant, Amount{wishes_.at(job).chips} * 1000);
        return tree;
    }
    void check_start(JobId job) const {
        const Wish& its = wishes_.at(job);
        const Amount amount = Amount{its.chips} * 1000;
        const PlainTree tree = used();
        EXPECT_TRUE(tree.owns(its.tenant, amount) || amount <= tree.available(its.tenant))
            << "job " << job.value << " of " << house_.tenant(its.tenant).path;
    }
    // What is used if of one organisation only those run that were submitted before a job.
    [[nodiscard]] PlainTree used_before(JobId job) const {
        PlainTree tree = used();
        for (const auto& [other, since] : running_) {
            const Wish& its = wishes_.at(other);
            if (other >= job && its.tenant == wishes_.at(job).tenant)
                tree.use(its.tenant, -Amount{its.chips} * 1000);
        }
        return tree;
    }
    // Those that were submitted first fill what an organisation owns: whoever is stopped is beyond
    // that, and whoever it makes room for is not.
    void check_stop(const Preempt& preempt) const {
        const Wish& victim = wishes_.at(preempt.job);
        const Wish& owner = wishes_.at(preempt.for_job);
        EXPECT_TRUE(used_before(preempt.for_job).owns(owner.tenant, Amount{owner.chips} * 1000));
        if (victim.tenant == owner.tenant) {
            EXPECT_GT(preempt.job, preempt.for_job);
            return;
        }
        PlainTree tree = by_submission_ ? used_before(preempt.job) : used();
        if (by_submission_) tree.use(victim.tenant, Amount{victim.chips} * 1000);
        EXPECT_GT(tree.usage(victim.tenant), tree.subtree(victim.tenant));
    }

    const Organisations& house_;
    std::uint32_t capacity_;
    bool by_submission_;  // the queue of each organisation
    Engine engine_;
    std::map<JobId, Wish> wishes_;
    std::map<JobId, Time> running_;  // and since when
};

// Strict order as scenarios/organisations tells it, worked out anew in every pass.
class StrictReference {
public:
    StrictReference(const Organisations& house, Amount capacity)
        : house_(house), capacity_(capacity) {}

    void submit(JobId job, const Wish& wish) { waiting_[job] = wish; }
    void end(JobId job) { running_.erase(job); }

    std::vector<JobId> decide() {
        std::vector<JobId> started;
        std::set<TenantId> out;
        bool kept = false;
        while (true) {
            PlainTree tree(house_, capacity_ * 1000);
            Amount free = capacity_;
            for (const auto& [job, wish] : running_) {
                tree.use(wish.tenant, Amount{wish.chips} * 1000);
                free -= wish.chips;
            }
            std::optional<JobId> best;
            std::vector<bool> its_place;
            std::set<TenantId> seen = out;
            for (const auto& [job, wish] : waiting_) {
                if (!seen.insert(wish.tenant).second) continue;
                const std::vector<bool> place = place_of(tree, wish);
                if (best && !(place < its_place)) continue;
                best = job;
                its_place = place;
            }
            if (!best) return started;
            const Wish wish = waiting_.at(*best);
            const Amount amount = Amount{wish.chips} * 1000;
            const bool owns = tree.owns(wish.tenant, amount);
            const bool may = owns || (amount <= tree.available(wish.tenant) && !kept);
            if (may && free >= wish.chips) {
                running_[*best] = wish;
                waiting_.erase(*best);
                started.push_back(*best);
                continue;
            }
            if (owns) kept = true;
            out.insert(wish.tenant);
        }
    }

private:
    // Whether it has to borrow at each level, from the top.
    [[nodiscard]] std::vector<bool> place_of(const PlainTree& tree, const Wish& wish) const {
        std::vector<bool> place;
        Amount more = Amount{wish.chips} * 1000;
        for (TenantId x = wish.tenant; x.value != 0; x = house_.tenant(x).parent) {
            const Amount usage = tree.usage(x);
            place.insert(place.begin(), more > 0 && usage + more > tree.subtree(x));
            if (usage > tree.subtree(x)) place.front() = true;
            more = std::max<Amount>(0, usage + more - tree.local(x)) -
                   std::max<Amount>(0, usage - tree.local(x));
        }
        place.resize(tenancy::Standing::levels, false);
        return place;
    }

    const Organisations& house_;
    Amount capacity_;
    std::map<JobId, Wish> waiting_;  // by submission
    std::map<JobId, Wish> running_;
};

// Two who lend, two who borrow, four chips; submissions of each and ends, in every order.
TEST(Organisations, InStrictOrderAgreeWithTheReferenceInEveryOrderOfEvents) {
    const Organisations house =
        small_house({{"a", 2}, {"b", 2, 1}, {"c", 0, -1, 1}, {"d"}, {"d/e"}});
    const std::vector<Wish> wishes{
        {TenantId{1}, 2}, {TenantId{2}, 1}, {TenantId{3}, 1}, {TenantId{4}, 1}, {TenantId{5}, 2}};
    const std::size_t kinds = wishes.size() + 2;  // and the end of the oldest, or the youngest, job
    constexpr int length = 6;
    std::size_t sequences = 1;
    for (int i = 0; i < length; ++i)
        sequences *= kinds;
    Policy policy = Policy::fcfs;
    for (std::size_t number = 0; number < sequences; ++number) {
        World world(house, 4, policy);
        StrictReference reference(house, 4);
        std::size_t rest = number;
        Time now{};
        for (int i = 0; i < length; ++i, rest /= kinds) {
            now += seconds(1);
            const std::size_t what = rest % kinds;
            if (what < wishes.size()) {
                reference.submit(world.submit(wishes[what], now), wishes[what]);
            } else if (!world.running().empty()) {
                const JobId job = what == wishes.size() ? world.running().begin()->first
                                                        : world.running().rbegin()->first;
                world.end(job, now);
                reference.end(job);
            }
            ASSERT_EQ(world.decide(now), reference.decide()) << "sequence " << number << ", " << i;
        }
    }
}

// An organisation that runs on its own quota alone: its jobs in strict order.
std::vector<Time> starts_alone(const std::vector<Wish>& wishes, TenantId tenant, Amount quota) {
    std::vector<Time> starts;
    std::multimap<Time, Amount> ends;
    Amount free = quota;
    Time now{};
    for (const Wish& wish : wishes) {
        if (wish.tenant != tenant) continue;
        now = std::max(now, wish.at);
        const auto come_to = [&] {
            while (!ends.empty() && ends.begin()->first <= now) {
                free += ends.begin()->second;
                ends.erase(ends.begin());
            }
        };
        come_to();
        while (free < wish.chips) {
            now = ends.begin()->first;
            come_to();
        }
        free -= wish.chips;
        ends.emplace(now + wish.runs, wish.chips);
        starts.push_back(now);
    }
    return starts;
}

// The promise that makes lending safe: nobody waits longer than its own quota alone would have made
// it wait, although others used what it left idle. (Hours, so that nobody waits for an end that is
// nearer than stopping somebody takes.)
RC_GTEST_PROP(Organisations, InStrictOrderLendingCostsNoLenderAnything, ()) {
    const std::vector<tenancy::SmallTenant> tenants{{"a", 3}, {"b", 2}, {"c", 4}};
    const Organisations house = small_house(tenants);
    const auto policy =
        policy_from_text("fcfs preempt=yes min_run=0s preemptions_per_hour=1000000");
    std::vector<Wish> wishes;
    Time at{};
    const auto count = *rc::gen::inRange(1, 30);
    for (int i = 0; i < count; ++i) {
        at += seconds(*rc::gen::inRange(0, 4) * 3600);
        const auto tenant = *rc::gen::inRange<std::uint32_t>(1, 4);
        const auto most = static_cast<std::uint32_t>(tenants[tenant - 1].quota);
        wishes.push_back({TenantId{tenant},
                          *rc::gen::inRange<std::uint32_t>(1, most + 1),
                          seconds(*rc::gen::inRange(1, 12) * 3600),
                          at});
    }
    World world(house, 9, *policy);
    std::map<JobId, Time> last_start;
    std::size_t next = 0;
    Time now{};
    for (std::size_t ended = 0; ended < wishes.size();) {
        // The next instant: a submission or an end.
        now = next < wishes.size() ? wishes[next].at : never;
        for (const auto& [job, since] : world.running())
            now = std::min(now, since + world.wish(job).runs);
        RC_ASSERT(now != never);
        std::vector<JobId> over;
        for (const auto& [job, since] : world.running())
            if (since + world.wish(job).runs <= now) over.push_back(job);
        for (const JobId job : over)
            world.end(job, now);
        ended += over.size();
        for (; next < wishes.size() && wishes[next].at <= now; ++next)
            world.submit(wishes[next], now);
        for (const JobId job : world.decide(now))
            last_start[job] = now;
    }
    for (std::uint32_t tenant = 1; tenant <= 3; ++tenant) {
        const std::vector<Time> alone =
            starts_alone(wishes, TenantId{tenant}, tenants[tenant - 1].quota);
        std::size_t position = 0;
        for (std::size_t i = 0; i < wishes.size(); ++i) {
            if (wishes[i].tenant != TenantId{tenant}) continue;
            RC_ASSERT(last_start.at(JobId{i + 1}) <= alone[position]);
            ++position;
        }
    }
}

// Whatever the policy: limits at every level hold at every start, and only borrowers are stopped.
RC_GTEST_PROP(Organisations, KeepTheirLimitsUnderEveryPolicy, ()) {
    const Organisations house =
        small_house({{"a", 3, 2}, {"a/x", 1}, {"a/y", 0, -1, 2}, {"b", 2, -1, 2}, {"c"}});
    const auto policy = policy_from_text(
        *rc::gen::element<std::string>("weir min_run=0s preemptions_per_hour=1000000",
                                       "weir preempt=no",
                                       "easy",
                                       "conservative",
                                       "fcfs",
                                       "fcfs preempt=yes min_run=0s",
                                       "weir fair=tree min_run=0s"));
    World world(house, 7, *policy);
    Time now{};
    const auto steps = *rc::gen::inRange(1, 40);
    for (int step = 0; step < steps; ++step) {
        now += seconds(*rc::gen::inRange(0, 1000));
        if (*rc::gen::inRange(0, 3) > 0 || world.running().empty()) {
            const Wish wish{TenantId{*rc::gen::inRange<std::uint32_t>(1, 6)},
                            *rc::gen::inRange<std::uint32_t>(1, 4),
                            seconds(*rc::gen::inRange(100, 3000))};
            fleet::Demand demand;
            demand.pools = {PoolId{0}};
            demand.parts = {{.replicas = 1, .each = {.chips = wish.chips}}};
            if (world.engine().can_ever_have(wish.tenant, demand)) world.submit(wish, now);
        } else {
            auto its = world.running().begin();
            std::advance(its, *rc::gen::inRange<std::size_t>(0, world.running().size()));
            world.end(its->first, now);
        }
        world.decide(now);
    }
    // Nobody is forgotten: when all that run have ended, somebody who waits starts.
    while (world.engine().counts().pending + world.engine().counts().running > 0) {
        RC_ASSERT(!world.running().empty());
        now += seconds(1);
        world.end(world.running().begin()->first, now);
        world.decide(now);
    }
}

// Room in one kind of chips and a right in another are no way to run.
TEST(Organisations, AGangThatFitsOnlyWhereItHasNoRightIsRefused) {
    fleet::Fleet fleet = small_fleet(2);
    fleet.pools.push_back(fleet.pools[0]);
    fleet.pools[1].name = "q";
    fleet.pools[1].chip = "b";
    fleet.pools[1].chips_per_node = 8;
    Organisations house = small_house({{"lab", 8}});
    house.resources.push_back({tenancy::Resource::Kind::chips, "b"});
    house.tenants[0].quota.push_back({1, 8000});
    house.tenants[1].borrow = {{1, 0}};
    const Engine engine(fleet, Policy::fcfs, tenancy::rights_on(fleet, house, {}));
    fleet::Demand demand;
    demand.pools = {PoolId{0}, PoolId{1}};
    demand.parts = {{.replicas = 1, .each = {.chips = 4}}};
    ASSERT_TRUE(engine.can_ever_fit(demand));
    const auto refused = engine.can_ever_have(TenantId{1}, demand);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("lab may have 0 b at most"), std::string::npos)
        << refused.error().message;
    demand.parts[0].each.chips = 2;
    EXPECT_TRUE(engine.can_ever_have(TenantId{1}, demand));
}

}  // namespace
}  // namespace weir::sched
