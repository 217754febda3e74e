#include "weir/tenancy/loan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace weir::tenancy {
namespace {

using ::testing::HasSubstr;
using State = LoanState;
using Event = LoanEvent;

constexpr TenantId lender{1};
constexpr TenantId borrower{2};

Money yuan(std::int64_t amount) {
    return {amount * 1'000'000, {}};
}

// Begins at 20 s, ends at 50 s, is called back with 10 s of notice.
Loan an_offer() {
    LoanContract contract;
    contract.lender = lender;
    contract.borrower = borrower;
    contract.amounts = {{0, 4000}};
    contract.window = {at_seconds(20), at_seconds(50)};
    contract.notice = seconds(10);
    contract.early_recall = yuan(1000);
    contract.penalty = yuan(3000);
    return {LoanId{0}, contract, State::offered, Time{}, {}};
}

Loan after(const Loan& loan, Event event, std::int64_t at_s) {
    const auto next = step(loan, event, at_seconds(at_s));
    EXPECT_TRUE(next.has_value()) << next.error().message;
    return next ? next->loan : loan;
}

std::string refusal(const Loan& loan, Event event, std::int64_t at_s) {
    const auto next = step(loan, event, at_seconds(at_s));
    return next ? "possible" : next.error().message;
}

TEST(Loan, RunsFromItsOfferToItsEnd) {
    const Loan accepted = after(an_offer(), Event::accept, 5);
    EXPECT_EQ(accepted.state, State::accepted);
    EXPECT_EQ(availability(accepted), (Span{at_seconds(20), at_seconds(50)}));
    const Loan active = after(accepted, Event::wait, 20);
    EXPECT_EQ(active.state, State::active);
    EXPECT_EQ(after(active, Event::wait, 49).state, State::active);
    EXPECT_EQ(after(active, Event::wait, 50).state, State::expired);
    EXPECT_EQ(availability(after(active, Event::wait, 50)), std::nullopt);
}

TEST(Loan, EndsForTheBorrowerWhenTheNoticeOfARecallIsOver) {
    const Loan active = after(after(an_offer(), Event::accept, 5), Event::wait, 20);
    const auto recalled = step(active, Event::recall, at_seconds(25));
    ASSERT_TRUE(recalled.has_value());
    EXPECT_EQ(recalled->loan.state, State::recalling);
    EXPECT_EQ(availability(recalled->loan), (Span{at_seconds(20), at_seconds(35)}));
    ASSERT_EQ(recalled->changes.size(), 1U);
    EXPECT_EQ(recalled->changes[0],
              (LoanChange{State::active,
                          State::recalling,
                          at_seconds(25),
                          LoanChange::Debt::early_recall,
                          lender,
                          borrower,
                          yuan(1000)}));
    EXPECT_EQ(after(recalled->loan, Event::wait, 34).state, State::recalling);
    EXPECT_EQ(after(recalled->loan, Event::wait, 35).state, State::returned);
}

TEST(Loan, CostsThePenaltyWhereAPartyDoesNotWait) {
    const Loan active = after(after(an_offer(), Event::accept, 5), Event::wait, 20);
    const auto taken = step(active, Event::lender_breaks, at_seconds(25));
    EXPECT_EQ(taken->changes[0].payer, lender);
    EXPECT_EQ(taken->changes[0].amount, yuan(3000));
    const auto unpaid = step(active, Event::borrower_breaks, at_seconds(25));
    EXPECT_EQ(unpaid->changes[0].payer, borrower);
    EXPECT_EQ(unpaid->changes[0].payee, lender);
    // Who has announced a recall and takes the chips before it is due breaks the loan as well.
    EXPECT_EQ(after(after(active, Event::recall, 25), Event::lender_breaks, 30).state,
              State::defaulted);
}

TEST(Loan, IsBrokenByItsBorrowerWhereTheChipsAreNotBackWhenItIsOver) {
    const Loan active = after(after(an_offer(), Event::accept, 5), Event::wait, 20);
    const Loan recalled = after(active, Event::recall, 25);
    for (const auto& [loan, over] : {std::pair{active, 50}, std::pair{recalled, 35}}) {
        EXPECT_THAT(refusal(loan, Event::not_back, over - 1), HasSubstr("answered with not back"));
        for (const int seen : {over, over + 7}) {
            const auto broken = step(loan, Event::not_back, at_seconds(seen));
            ASSERT_TRUE(broken.has_value());
            EXPECT_EQ(broken->loan.state, State::defaulted);
            EXPECT_EQ(broken->changes.back().payer, borrower);
            EXPECT_EQ(broken->changes.back().payee, lender);
            EXPECT_EQ(broken->changes.back().amount, yuan(3000));
        }
    }
    EXPECT_THAT(refusal(after(active, Event::give_back, 30), Event::not_back, 50),
                HasSubstr("is returned"));
    EXPECT_THAT(refusal(an_offer(), Event::not_back, 60), HasSubstr("is expired"))
        << "nobody took it, so nobody keeps anything";
}

TEST(Loan, DatesWhatTimeBroughtWhenItWasDueHoweverLateItIsSeen) {
    const auto late = step(after(an_offer(), Event::accept, 5), Event::wait, at_seconds(99));
    ASSERT_EQ(late->changes.size(), 2U);
    EXPECT_EQ(late->changes[0].to, State::active);
    EXPECT_EQ(late->changes[0].at, at_seconds(20));
    EXPECT_EQ(late->changes[1].to, State::expired);
    EXPECT_EQ(late->changes[1].at, at_seconds(50));
}

TEST(Loan, BeginsWhenItIsAcceptedIfThatIsLate) {
    const auto late = step(an_offer(), Event::accept, at_seconds(30));
    ASSERT_EQ(late->changes.size(), 2U);
    EXPECT_EQ(late->changes[1].to, State::active);
    EXPECT_EQ(late->changes[1].at, at_seconds(30));
    EXPECT_EQ(after(an_offer(), Event::wait, 50).state, State::expired) << "nobody took it";
}

TEST(Loan, SaysWhatIsPossibleInsteadOfWhatIsNot) {
    EXPECT_EQ(
        refusal(an_offer(), Event::recall, 5),
        "a loan that is offered cannot be answered with recall: possible are accept, withdraw");
    const Loan over = after(after(an_offer(), Event::accept, 5), Event::wait, 50);
    EXPECT_EQ(
        refusal(over, Event::give_back, 50),
        "a loan that is expired cannot be answered with return: nothing is possible any more");
    const Loan agreed = after(an_offer(), Event::accept, 5);
    EXPECT_THAT(refusal(agreed, Event::accept, 6), HasSubstr("possible are recall, return, break"))
        << "the words of weir loan";
    EXPECT_THAT(refusal(over, Event::wait, 49), HasSubstr("is expired since"));
    const Loan active = after(after(an_offer(), Event::accept, 5), Event::wait, 20);
    EXPECT_THAT(refusal(active, Event::recall, 40),
                HasSubstr("with a notice of 10s a recall takes effect at 1970-01-01T00:00:50Z, but "
                          "the loan ends"));
}

TEST(Loan, MovesQuotaFromLenderToBorrowerWhileItLasts) {
    Organisations all;
    all.resources = {{Resource::Kind::chips, "h20"}};
    all.tenants.resize(3);
    all.tenants[1] = {"uni", TenantId{0}, 1000, {{0, 24'000}}, {}, {}};
    all.tenants[2] = {"startup", TenantId{0}, 1000, {}, {}, {}};
    const std::vector<Loan> loans{after(an_offer(), Event::accept, 5)};
    EXPECT_EQ(with_loans(all, loans, at_seconds(19)), all);
    const Organisations moved = with_loans(all, loans, at_seconds(20));
    EXPECT_EQ(moved.tenants[1].quota, (std::vector<Allowance>{{0, 20'000}}));
    EXPECT_EQ(moved.tenants[2].quota, (std::vector<Allowance>{{0, 4000}}));
    EXPECT_EQ(with_loans(all, loans, at_seconds(50)), all);
}

// The rules once more, slow and plain: second after second from the beginning, the whole history
// again for every question.
class Diary {
public:
    explicit Diary(const LoanContract& contract) : contract_(contract) {}

    struct Day {
        State state = State::offered;
        int due = -1;  // of a recall
        std::int64_t lender_paid = 0;
        std::int64_t borrower_paid = 0;
    };

    // The state after everything that is due at `second`, and the events of the history until then.
    Day at(int second) const {
        Day day;
        for (int now = 0; now <= second; ++now) {
            morning(day, now);
            for (const auto& [when, event] : history_) {
                if (when != now) continue;
                apply(day, event, now);
                morning(day, now);
            }
        }
        return day;
    }
    // Whether the event would change anything, and then it is remembered.
    bool write(int second, Event event) {
        Day day = at(second);
        if (event != Event::wait && !apply(day, event, second)) return false;
        history_.emplace_back(second, event);
        return true;
    }
    void forget() { history_.pop_back(); }

    // Whether the borrower can use it at that second if nothing more happens.
    bool usable(int second) const {
        const Day day = at(second);
        return day.state == State::active || (day.state == State::recalling && second >= begins());
    }

private:
    int begins() const { return whole(contract_.window.begins.time_since_epoch()); }
    int ends() const { return whole(contract_.window.ends.time_since_epoch()); }
    static int whole(Duration time) { return static_cast<int>(time.count() / 1000); }

    void morning(Day& day, int now) const {
        if (day.state == State::recalling && now == day.due) day.state = State::returned;
        if (day.state == State::accepted && now >= begins()) day.state = State::active;
        const bool open = day.state == State::offered || day.state == State::active;
        if (open && now == ends()) day.state = State::expired;
    }
    bool apply(Day& day, Event event, int now) const {
        const bool agreed = day.state == State::accepted || day.state == State::active;
        const bool binding = agreed || day.state == State::recalling;
        if (event == Event::accept && day.state == State::offered) {
            day.state = State::accepted;
        } else if (event == Event::withdraw && day.state == State::offered) {
            day.state = State::withdrawn;
        } else if (event == Event::recall && agreed && now + whole(contract_.notice) < ends()) {
            day.state = State::recalling;
            day.due = now + whole(contract_.notice);
            day.lender_paid += contract_.early_recall.micros;
        } else if (event == Event::give_back && binding) {
            day.state = State::returned;
        } else if (event == Event::lender_breaks && binding) {
            day.state = State::defaulted;
            day.lender_paid += contract_.penalty.micros;
        } else if (event == Event::borrower_breaks && binding) {
            day.state = State::defaulted;
            day.borrower_paid += contract_.penalty.micros;
        } else {
            return false;
        }
        return true;
    }

    LoanContract contract_;
    std::vector<std::pair<int, Event>> history_;
};

// Every order of events at every second, up to a depth.
class SmallWorld {
public:
    explicit SmallWorld(int notice_s) : loan_(an_offer()), diary_(with_notice(notice_s)) {}

    void explore(int depth) { explore(loan_, 0, 0, 0, depth); }
    [[nodiscard]] int visited() const { return visited_; }

private:
    LoanContract with_notice(int notice_s) {
        loan_.contract.window = {at_seconds(2), at_seconds(5)};
        loan_.contract.notice = seconds(notice_s);
        return loan_.contract;
    }

    void explore(const Loan& loan,
                 int from,
                 std::int64_t lender_paid,
                 std::int64_t borrower_paid,
                 int depth) {
        if (depth == 0 || ::testing::Test::HasFailure()) return;
        for (int now = from; now <= 6; ++now) {
            for (int i = 0; i <= static_cast<int>(Event::borrower_breaks); ++i) {
                const auto event = static_cast<Event>(i);
                const auto next = step(loan, event, at_seconds(now));
                const bool expected = diary_.write(now, event);
                ASSERT_EQ(next.has_value(), expected) << name_of(event) << " at " << now;
                ++visited_;
                if (!expected) continue;
                std::int64_t by_lender = lender_paid;
                std::int64_t by_borrower = borrower_paid;
                for (const LoanChange& change : next->changes) {
                    (change.payer == lender ? by_lender : by_borrower) += change.amount.micros;
                }
                compare(next->loan, now, by_lender, by_borrower);
                explore(next->loan, now, by_lender, by_borrower, depth - 1);
                diary_.forget();
            }
        }
    }

    void compare(const Loan& loan, int now, std::int64_t by_lender, std::int64_t by_borrower) {
        const Diary::Day day = diary_.at(now);
        ASSERT_EQ(name_of(loan.state), name_of(day.state));
        ASSERT_EQ(by_lender, day.lender_paid);
        ASSERT_EQ(by_borrower, day.borrower_paid);
        const auto span = availability(loan);
        for (int later = now; later <= 7; ++later) {
            ASSERT_EQ(span && span->holds(at_seconds(later)), diary_.usable(later))
                << name_of(loan.state) << " at " << now << ", asked for " << later;
        }
    }

    Loan loan_;
    Diary diary_;
    int visited_ = 0;
};

TEST(Loan, AgreesWithItsDiaryInEveryOrderOfEvents) {
    for (const int notice_s : {0, 1, 2, 6}) {
        SmallWorld world(notice_s);
        world.explore(6);
        EXPECT_GT(world.visited(), 100'000) << notice_s;
    }
}

}  // namespace
}  // namespace weir::tenancy
