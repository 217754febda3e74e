// Loans in worlds that are small enough to be played in every order: two who lend, two who borrow,
// four chips. What must hold at every step is worked out anew each time, by the formulas.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <variant>

#include "weir/base/random.hpp"
#include "weir/sched/engine.hpp"
#include "weir/tenancy/loan.hpp"
#include "weir/tenancy/quota_tree_reference.hpp"
#include "weir/tenancy/recoverable.hpp"
#include "weir/tenancy/small_house.hpp"

namespace weir::sched {
namespace {

using tenancy::Amount;
using tenancy::Loan;
using tenancy::LoanEvent;
using tenancy::LoanState;
using tenancy::Organisations;
using tenancy::PlainTree;

constexpr std::uint32_t capacity = 4;
constexpr TenantId a{1};
constexpr TenantId b{2};
constexpr TenantId c{3};
constexpr TenantId d{4};
const Duration hour = seconds(3600);  // stopping somebody takes far less

struct Wish {
    TenantId tenant;
    std::uint32_t chips = 1;
    Duration limit{};
    Duration checkpoint{};  // what saving costs; 0: it saves nothing
};

// An engine, and a driver that ends jobs by their limits, stops them as it is told, and lets an
// hour go by between two things that happen.
class LendingWorld {
public:
    LendingWorld(const Organisations& house, const Policy& policy)
        : house_(house),
          backfill_(policy.backfill),
          engine_(tenancy::small_fleet(capacity),
                  policy,
                  tenancy::rights_on(tenancy::small_fleet(capacity), house, {})) {}

    void submit(const Wish& wish) {
        Request request;
        request.job = JobId{++submitted_};
        request.demand.pools = {PoolId{0}};
        request.demand.parts = {{.replicas = 1, .each = {.chips = wish.chips}}};
        request.limit = wish.limit;
        request.tenant = wish.tenant;
        if (wish.checkpoint > Duration{}) request.checkpoint = {hour, wish.checkpoint};
        if (!engine_.can_ever_have(wish.tenant, request.demand)) return;
        wishes_[request.job] = wish;
        waiting_.insert(request.job);
        engine_.apply(JobSubmitted{request}, now_);
    }
    void end_oldest() {
        if (!running_.empty()) end(running_.begin()->first, false);
    }
    // The whole amount for so long, from `later` on; nothing if it was lent before.
    void lend(TenantId lender, TenantId borrower, Amount chips, Duration later, Duration lasts) {
        for (const Loan& loan : loans_)
            if (loan.contract.lender == lender) return;
        Loan loan;
        loan.id = tenancy::LoanId{static_cast<std::uint32_t>(loans_.size())};
        loan.state = LoanState::accepted;
        loan.since = now_;
        loan.contract.lender = lender;
        loan.contract.borrower = borrower;
        loan.contract.amounts = {{0, chips * 1000}};
        loan.contract.window = {now_ + later, now_ + later + lasts};
        loan.contract.notice = 2 * hour;
        loans_.push_back(loan);
        tell(loan);
    }
    void recall_first() {
        for (Loan& loan : loans_) {
            const auto next = step(loan, LoanEvent::recall, now_);
            if (!next) continue;
            loan = next->loan;
            tell(loan);
            return;
        }
    }
    // The instant is over when nothing more follows from it; then the next hour begins.
    void pass() {
        for (bool again = true; again;) {
            again = false;
            std::vector<Decision> decisions;
            engine_.decide(now_, decisions);
            for (const Decision& decision : decisions)
                again = carry_out(decision) || again;
        }
        check_state();
        now_ += hour;
        for (Loan& loan : loans_)
            loan = step(loan, LoanEvent::wait, now_)->loan;
        for (const auto& [job, ends] : std::map(running_))
            if (ends.by_limit <= now_ || ends.stops <= now_) end(job, ends.by_limit > now_);
    }
    // Nobody runs, and whoever still waits asks for more than it may ever have without its loan.
    [[nodiscard]] bool is_over() const {
        const PlainTree tree(house_, Amount{capacity} * 1000);
        return running_.empty() && std::all_of(waiting_.begin(), waiting_.end(), [&](JobId job) {
                   const Wish& its = wishes_.at(job);
                   return Amount{its.chips} * 1000 > tree.available(its.tenant) ||
                          (!backfill_ && !is_first(job));
               });
    }
    [[nodiscard]] std::uint64_t stops() const { return stops_; }

private:
    struct Ends {
        Time by_limit;
        Time stops = never;
    };

    void tell(const Loan& loan) { engine_.apply(LoanChanged{term_of(loan, now_)}, now_); }
    void end(JobId job, bool requeue) {
        running_.erase(job);
        if (requeue) waiting_.insert(job);
        engine_.apply(JobEnded{job, requeue ? Outcome::lost : Outcome::succeeded, requeue}, now_);
    }
    bool carry_out(const Decision& decision) {
        if (const auto* start = std::get_if<Start>(&decision.what)) {
            check_start(start->job, decision.why.cause);
            waiting_.erase(start->job);
            running_[start->job] = {now_ + wishes_.at(start->job).limit};
        }
        if (const auto* preempt = std::get_if<Preempt>(&decision.what)) {
            check_stop(*preempt);
            ++stops_;
            const Duration cost = wishes_.at(preempt->job).checkpoint;
            running_.at(preempt->job).stops = now_ + cost;
            if (cost > Duration{}) return false;
            end(preempt->job, true);
            return true;
        }
        return false;
    }

    // What each organisation has a right to at a time, as far as is known now.
    [[nodiscard]] Organisations house_at(Time at, bool recalled_too = true) const {
        std::vector<Loan> loans;
        for (const Loan& loan : loans_)
            if (recalled_too || loan.state != LoanState::recalling) loans.push_back(loan);
        return with_loans(house_, loans, at);
    }
    // With those of the running jobs that will still be there.
    void use(PlainTree& tree, Time at) const {
        for (const auto& [job, ends] : running_)
            if (at == now_ || std::min(ends.by_limit, ends.stops) > at)
                tree.use(wishes_.at(job).tenant, Amount{wishes_.at(job).chips} * 1000);
    }
    [[nodiscard]] std::vector<Time> moments_until(Time end) const {
        std::vector<Time> moments{now_};
        for (const Loan& loan : loans_) {
            const auto span = availability(loan);
            if (!span) continue;
            for (const Time each : {span->begins, span->ends})
                if (each > now_ && each < end) moments.push_back(each);
        }
        return moments;
    }
    void check_start(JobId job, Cause cause) const {
        const Wish& its = wishes_.at(job);
        const Amount amount = Amount{its.chips} * 1000;
        const auto has_right = [&](const Organisations& house, Time at) {
            PlainTree tree(house, Amount{capacity} * 1000);
            use(tree, at);
            return tree.owns(its.tenant, amount) || amount <= tree.available(its.tenant) ||
                   amount <= tree.subtree(its.tenant) - tree.usage(its.tenant);
        };
        for (const Time at : moments_until(now_ + its.limit)) {
            const Organisations house = house_at(at);
            EXPECT_TRUE(has_right(house, at)) << "job " << job.value << " will have no right";
        }
        // A promise is kept; whatever else starts does without a loan that is called back.
        if (cause == Cause::promised) return;
        const Organisations house = house_at(now_, false);
        EXPECT_TRUE(has_right(house, now_)) << "job " << job.value << " counts on a recalled loan";
    }
    // When it is gone, its organisation uses more than it has, its loans counted: nobody is stopped
    // before the notice is over.
    void check_stop(const Preempt& preempt) const {
        const Wish& victim = wishes_.at(preempt.job);
        const Time gone = now_ + victim.checkpoint;
        const Organisations house = house_at(gone);
        PlainTree tree(house, Amount{capacity} * 1000);
        use(tree, gone == now_ ? now_ : gone - Duration{1});
        EXPECT_GT(tree.usage(victim.tenant), tree.subtree(victim.tenant))
            << "job " << preempt.job.value << " was stopped, but it is on quota of its own";
    }
    void check_state() const {
        std::map<TenantId, Amount> used;
        Amount sum = 0;
        for (const auto& [job, ends] : running_) {
            used[wishes_.at(job).tenant] += wishes_.at(job).chips;
            sum += wishes_.at(job).chips;
        }
        EXPECT_LE(sum, capacity);
        // The engine's rights are those of the formulas.
        const Organisations house = house_at(now_);
        PlainTree tree(house, Amount{capacity} * 1000);
        for (const TenantId x : {TenantId{0}, a, b, c, d})
            EXPECT_EQ(engine_.quotas().subtree(x, 0), tree.subtree(x)) << x.value;
        check_recoverable(used);
        // Whoever stays inside its own quota, now and until its end, runs: nobody who borrows, and
        // no loan that is over, keeps it from its chips. (Unless somebody is leaving, or ends by
        // its limit before somebody who is asked to stop could have saved its work.)
        for (const auto& [job, ends] : running_)
            if (ends.stops < never || ends.by_limit < now_ + 2 * hour) return;
        for (const JobId job : waiting_) {
            const Wish& its = wishes_.at(job);
            bool owns = is_first(job);
            for (const Time at : moments_until(now_ + its.limit)) {
                const Organisations then = house_at(at);
                PlainTree rights(then, Amount{capacity} * 1000);
                use(rights, now_);
                owns = owns && Amount{its.chips} * 1000 <=
                                   rights.subtree(its.tenant) - rights.usage(its.tenant);
            }
            const Organisations anew = house_at(now_, false);
            PlainTree rights(anew, Amount{capacity} * 1000);
            use(rights, now_);
            owns = owns && Amount{its.chips} * 1000 <=
                               rights.subtree(its.tenant) - rights.usage(its.tenant);
            EXPECT_FALSE(owns) << "job " << job.value << " of tenant " << its.tenant.value
                               << " owns what it asks for, and waits";
        }
    }
    // Of its organisation, among those who wait.
    [[nodiscard]] bool is_first(JobId job) const {
        for (const JobId other : waiting_)
            if (wishes_.at(other).tenant == wishes_.at(job).tenant) return other == job;
        return false;
    }
    // With all gone who use what is not theirs by the file, every organisation gets all of its own.
    void check_recoverable(const std::map<TenantId, Amount>& used) const {
        tenancy::Ground ground{
            .pool = tenancy::small_fleet(capacity).pools[0], .kept_chips = {0}, .lent = {}};
        std::vector<tenancy::Guarantee> guarantees;
        for (const TenantId x : {a, b, c, d}) {
            const auto its = used.find(x);
            const auto uses = static_cast<std::uint32_t>(its == used.end() ? 0 : its->second);
            const auto& quota = house_.tenant(x).quota;
            const auto own = static_cast<std::uint32_t>(quota.empty() ? 0 : quota[0].amount / 1000);
            ground.kept_chips[0] += std::min(uses, own);
            if (uses > own)
                ground.lent.push_back({.node = 0, .chips = uses - own, .notice = 2 * hour});
            if (own > uses) guarantees.push_back({.tenant = x, .gang = {}, .count = own - uses});
        }
        EXPECT_FALSE(tenancy::shortage(ground, guarantees));
    }

    const Organisations& house_;
    bool backfill_;
    Engine engine_;
    Time now_{};
    std::uint64_t submitted_ = 0;
    std::map<JobId, Wish> wishes_;
    std::set<JobId> waiting_;
    std::map<JobId, Ends> running_;
    std::vector<Loan> loans_;
    std::uint64_t stops_ = 0;
};

const Organisations& lenders_and_borrowers() {
    static const Organisations house =
        tenancy::small_house({{"a", 3, 0}, {"b", 1}, {"c", 0, 0}, {"d"}});
    return house;
}

constexpr std::size_t kinds_of_events = 9;

void happen(LendingWorld& world, std::size_t what) {
    switch (what) {
        case 0:
            return world.submit({a, 2, 20 * hour});
        case 1:
            return world.submit({b, 1, 20 * hour});
        case 2:
            return world.submit({c, 1, 2 * hour});
        case 3:
            return world.submit({c, 2, 20 * hour});
        case 4:
            return world.submit({d, 1, 6 * hour, hour});
        case 5:
            return world.lend(a, c, 2, Duration{}, 8 * hour);
        case 6:
            return world.lend(b, d, 1, 2 * hour, 30 * hour);
        case 7:
            return world.recall_first();
        default:
            return world.end_oldest();
    }
}

// Until all loans are over and nobody is left.
void play_out(LendingWorld& world) {
    for (int i = 0; i < 200 && !world.is_over(); ++i)
        world.pass();
}

class Loans : public testing::TestWithParam<const char*> {};

TEST_P(Loans, KeepEveryRightInEveryOrderOfEvents) {
    constexpr int length = 5;
    std::size_t sequences = 1;
    for (int i = 0; i < length; ++i)
        sequences *= kinds_of_events;
    const auto policy = policy_from_text(GetParam());
    ASSERT_TRUE(policy);
    std::uint64_t stops = 0;
    for (std::size_t number = 0; number < sequences; ++number) {
        LendingWorld world(lenders_and_borrowers(), *policy);
        std::size_t rest = number;
        for (int i = 0; i < length; ++i, rest /= kinds_of_events) {
            happen(world, rest % kinds_of_events);
            world.pass();
        }
        play_out(world);
        EXPECT_TRUE(world.is_over()) << "somebody waits for ever";
        stops += world.stops();
        ASSERT_FALSE(HasFailure()) << "sequence " << number << ":" << [&] {
            std::string words;
            std::size_t left = number;
            for (int i = 0; i < length; ++i, left /= kinds_of_events)
                words += " " + std::to_string(left % kinds_of_events);
            return words;
        }();
    }
    EXPECT_GT(stops, 0U) << "nobody was ever stopped: this shows little";
}

INSTANTIATE_TEST_SUITE_P(
    Policies,
    Loans,
    testing::Values("weir min_run=0s preemptions_per_hour=1000000 slack=0s slack_percent=0",
                    "fcfs preempt=yes min_run=0s preemptions_per_hour=1000000"),
    [](const auto& each) { return std::string(each.param[0] == 'w' ? "weir" : "fcfs"); });

// What an engine heard and decided, in order: whoever follows it has the same state, but remembers
// nothing of who was first.
struct Record {
    struct Pass {};
    std::vector<std::pair<Time, std::variant<Event, Decision, Pass>>> steps;

    [[nodiscard]] Engine replayed(const Organisations& house, const Policy& policy) const {
        const fleet::Fleet fleet = tenancy::small_fleet(10);
        Engine engine(fleet, policy, tenancy::rights_on(fleet, house, {}));
        for (const auto& [at, what] : steps) {
            if (const auto* const event = std::get_if<Event>(&what))
                engine.apply(*event, at);
            else if (const auto* const decision = std::get_if<Decision>(&what))
                EXPECT_TRUE(engine.follow(*decision, at));
            else
                engine.follow_pass(at);
        }
        return engine;
    }
};

LoanTerm some_term(std::uint32_t loan, Time now, Random& random, const Organisations& house) {
    const auto last = static_cast<std::int64_t>(house.tenants.size()) - 1;
    const TenantId lender{static_cast<std::uint32_t>(random.between(1, last))};
    TenantId borrower = lender;
    while (borrower == lender)
        borrower = TenantId{static_cast<std::uint32_t>(random.between(1, last))};
    LoanTerm term{.loan = loan, .lender = lender, .borrower = borrower, .amounts = {}};
    term.from = now + random.between(0, 8) * hour;
    term.until = term.from + random.between(1, 20) * hour;
    const auto& quota = house.tenant(lender).quota;
    if (!quota.empty()) term.amounts = {{0, random.between(1, quota.front().amount / 1000) * 1000}};
    return term;
}

// The answers that are kept of who is first (first.hpp) are those that are found anew.
TEST(LoansRemembered, AnEngineThatAsksAnewWhoIsFirstDecidesTheSame) {
    const Organisations house = tenancy::small_house({{"x", 1},
                                                      {"x/a", 3},
                                                      {"x/b", 2, 1},
                                                      {"x/c"},
                                                      {"y"},
                                                      {"y/d", 4, 2},
                                                      {"y/e"},
                                                      {"y/f", 1},
                                                      {"z", 3, -1, 2},
                                                      {"w", 1, 0},
                                                      {"v"}});
    std::size_t promised = 0;
    for (const char* const name : {"weir plan_work=0 min_run=0s preemptions_per_hour=1000000",
                                   "easy fair=drf fair_half_life=0s",
                                   "easy fair=tree"}) {
        const Policy policy = policy_from_text(name).value();
        for (std::uint64_t seed = 1; seed <= 60; ++seed) {
            SCOPED_TRACE(std::string(name) + ", seed " + std::to_string(seed));
            Random random(seed);
            Record record;
            Engine engine = record.replayed(house, policy);
            std::map<JobId, Time> running;
            std::map<TenantId, LoanTerm> lent;
            for (std::uint64_t id = 1; id <= 80; ++id) {
                const Time now = Time{} + static_cast<std::int64_t>(id) * hour / 4;
                std::vector<Event> events;
                for (const auto& [job, ends] : running)
                    if (ends <= now) events.push_back(JobEnded{job});
                for (const Event& event : events)
                    running.erase(std::get<JobEnded>(event).job);
                Request request;
                request.job = JobId{id};
                request.demand.pools = {PoolId{0}};
                const auto chips = static_cast<std::uint32_t>(random.chance(0.4) ? 3 : 1);
                request.demand.parts = {{.replicas = 1, .each = {.chips = chips}}};
                request.limit = random.between(1, 30) * hour;
                request.tenant = TenantId{static_cast<std::uint32_t>(
                    random.between(1, static_cast<std::int64_t>(house.tenants.size()) - 1))};
                if (engine.can_ever_have(request.tenant, request.demand))
                    events.push_back(JobSubmitted{request});
                if (random.chance(0.2)) {
                    const LoanTerm term =
                        some_term(static_cast<std::uint32_t>(id), now, random, house);
                    if (!term.amounts.empty() && lent.emplace(term.lender, term).second)
                        events.push_back(LoanChanged{term});
                } else if (!lent.empty() && random.chance(0.1)) {
                    LoanTerm& term = lent.begin()->second;
                    if (!term.recalled && term.from <= now && now < term.until - 2 * hour) {
                        term.recalled = true;
                        term.until = now + 2 * hour;
                        events.push_back(LoanChanged{term});
                    }
                }
                for (const Event& event : events) {
                    engine.apply(event, now);
                    record.steps.emplace_back(now, event);
                }
                Engine anew = record.replayed(house, policy);
                anew.begin_anew();
                engine.begin_anew();
                std::vector<Decision> decisions;
                std::vector<Decision> same;
                engine.decide(now, decisions);
                anew.decide(now, same);
                ASSERT_EQ(anew.digest(), engine.digest()) << "at " << id;
                record.steps.emplace_back(now, Record::Pass{});
                for (const Decision& decision : decisions) {
                    record.steps.emplace_back(now, decision);
                    if (const auto* const start = std::get_if<Start>(&decision.what))
                        running[start->job] = now + random.between(1, 20) * hour / 2;
                    if (const auto* const stop = std::get_if<Preempt>(&decision.what))
                        running[stop->job] = now;
                    promised += std::holds_alternative<Reserve>(decision.what) ? 1 : 0;
                }
            }
        }
    }
    EXPECT_GT(promised, 500U);
}

std::string explained(Engine& engine, TenantId tenant, std::uint32_t chips, Duration limit) {
    Request request;
    request.job = JobId{chips * 1000 + tenant.value};
    request.demand.pools = {PoolId{0}};
    request.demand.parts = {{.replicas = 1, .each = {.chips = chips}}};
    request.limit = limit;
    request.tenant = tenant;
    engine.apply(JobSubmitted{request}, Time{});
    std::vector<Decision> decisions;
    engine.decide(Time{}, decisions);
    const Explanation why = engine.explain(request.job, Time{});
    return std::string(name_of(why.reason.cause)) + ": " + why.sentence;
}

TEST(LoanExplained, NamesTheLoanItsEndAndTheJobs) {
    const Organisations& house = lenders_and_borrowers();
    Engine engine(tenancy::small_fleet(capacity),
                  Policy::easy,
                  tenancy::rights_on(tenancy::small_fleet(capacity), house, {}));
    const LoanTerm term{.loan = 0,
                        .lender = a,
                        .borrower = c,
                        .amounts = {{0, 2000}},
                        .from = Time{},
                        .until = Time{} + 8 * hour};
    engine.apply(LoanChanged{term}, Time{});
    EXPECT_THAT(explained(engine, c, 2, 9 * hour),
                testing::AllOf(testing::HasSubstr("on_loan: It asks for 2 chips, but the loan of "
                                                  "2 a from a ends at 1970-01-01T08:00:00"),
                               testing::HasSubstr("it would run until 1970-01-01T09:00:00")));
    EXPECT_THAT(explained(engine, a, 3, hour),
                testing::AllOf(testing::HasSubstr("on_loan: "),
                               testing::HasSubstr("a has lent 2 a to c until 1970-01-01T08"),
                               testing::HasSubstr("it is promised to start")));
}

}  // namespace
}  // namespace weir::sched
