// What the checker says of loans: on a small log that keeps the rules, and on what comes of it by
// one change.
#include <gtest/gtest.h>

#include "weir/audit/loan_books.hpp"
#include "weir/audit/small_log.hpp"
#include "weir/audit/tampering.hpp"

namespace weir::audit {
namespace {

template <class Kind>
std::size_t of(const Log& log, std::uint32_t loan) {
    for (std::size_t i = 0; i < log.size(); ++i) {
        const Kind* what = std::get_if<Kind>(&log[i].what);
        if (what != nullptr && what->loan == loan) return i;
    }
    ADD_FAILURE() << "no such record of loan " << loan;
    return 0;
}
template <class Kind>
Kind& about(Log& log, std::uint32_t loan) {
    return std::get<Kind>(log[of<Kind>(log, loan)].what);
}
template <class Kind>
void erase_about(Log& log, std::uint32_t loan) {
    log.erase(log.begin() + static_cast<std::ptrdiff_t>(of<Kind>(log, loan)));
}

// Nobody is stopped at the deadline, so the lab's job goes on waiting for its own chips.
void keep_the_chips(Log& log) {
    erase<Preempted>(log, 402);
    erase<Ended>(log, 402);
    erase<Started>(log, 402, 2);
    erase<Started>(log, 403);
    erase<Ended>(log, 403);
}

const std::vector<Tampering> tamperings = {
    {"more is lent than the lender owns",
     Rule::loan,
     [](Log& log) {
         about<Lent>(log, 0).amounts = {{0, 8001}};
     }},
    {"it is lent twice at a time",
     Rule::loan,
     [](Log& log) { about<Lent>(log, 1).begins = at_seconds(59); }},
    {"a party is not there", Rule::loan, [](Log& log) { about<Lent>(log, 0).borrower = "stop"; }},
    {"somebody lends to itself",
     Rule::loan,
     [](Log& log) { about<Lent>(log, 0).borrower = "lab"; }},
    {"a loan is agreed on twice", Rule::loan, [](Log& log) { about<Lent>(log, 2).loan = 0; }},
    {"it is agreed on when it is over",
     Rule::loan,
     [](Log& log) {
         about<Lent>(log, 2).begins = at_seconds(100);
         about<Lent>(log, 2).until = at_seconds(140);
     }},
    {"the notice is too short",
     Rule::loan,
     [](Log& log) { about<CalledBack>(log, 0).until = at_seconds(59); }},
    {"a recall takes effect when the loan is over anyway",
     Rule::loan,
     [](Log& log) { about<CalledBack>(log, 0).until = at_seconds(150); }},
    {"what is called back is not there",
     Rule::loan,
     [](Log& log) { about<CalledBack>(log, 0).loan = 3; }},
    {"a loan begins that keeps its lender from a gang",
     Rule::loan,
     [](Log& log) { erase_about<LoanEnded>(log, 1); }},
    {"a loan is refused, and not when it begins",
     Rule::loan,
     [](Log& log) { log[of<LoanEnded>(log, 1)].at = at_seconds(119); }},
    {"a loan ends that has ended", Rule::loan, [](Log& log) { about<LoanEnded>(log, 2).loan = 1; }},
    {"chips are not back after the notice, and nobody says so", Rule::loan, keep_the_chips},
    {"somebody is stopped long before the notice is over",
     Rule::loan,
     [](Log& log) { log[find<Preempted>(log, 402)].at = at_seconds(50); }},
    {"a job outlasts the loan that it starts on",
     Rule::quota,
     [](Log& log) { the<Submitted>(log, 401).limit = seconds(151); }},
    {"a job starts before the loan begins",
     Rule::quota,
     [](Log& log) { about<Lent>(log, 0).begins = at_seconds(1); }},
    {"a job starts on a loan that is over",
     Rule::quota,
     [](Log& log) { about<Lent>(log, 2).until = at_seconds(249); }},
    {"a job starts on a loan that is called back",
     Rule::quota,
     [](Log& log) {
         the<Submitted>(log, 401).limit = seconds(30);
         const std::size_t first = find<Started>(log, 401);
         Record start = log[first];
         log.erase(log.begin() + static_cast<std::ptrdiff_t>(first));
         start.at = at_seconds(21);
         insert_before(log, find<Preempted>(log, 402), start);
     }},
    {"who has lent takes back what is on loan",
     Rule::reclaim,
     [](Log& log) {
         erase_about<CalledBack>(log, 0);
         about<Lent>(log, 0).until = never;
     }},
};

TEST(CheckerOfLoans, FindsEveryRuleThatIsBrokenOnce) {
    EXPECT_EQ(judge(loan_log()).of(Rule::loan).checked, 10U);
    expect_each_is_found(loan_log(), tamperings);
}

TEST(CheckerOfLoans, ALoanThatIsBrokenIsNoSurpriseWhereTheLogSaysIt) {
    Log log = loan_log();
    keep_the_chips(log);
    EXPECT_EQ(judge(log).of(Rule::loan).first.at(0).sentence,
              "loan 0 is over, shop still uses more chip than is its own, and job 403 of lab has "
              "no room");
    insert_before(log, of<Lent>(log, 1), {at_seconds(60), LoanEnded{0, LoanEnd::defaulted}});
    EXPECT_EQ(judge(log).of(Rule::loan).violated, 0U) << words_of(judge(log));
}

TEST(CheckerOfLoans, NobodyIsBlamedForChipsThatTheRulesOfThePoolKept) {
    Log log = loan_log();
    keep_the_chips(log);
    only<Header>(log).min_run = seconds(61);
    EXPECT_EQ(judge(log).of(Rule::loan).violated, 0U) << "a job of the shop has run for 60 s";
    insert_before(log, of<Lent>(log, 1), {at_seconds(60), LoanEnded{0, LoanEnd::defaulted}});
    EXPECT_EQ(judge(log).of(Rule::loan).first.at(0).sentence,
              "loan 0 is said to be broken when it is over, and shop keeps nothing from its lender "
              "that might have been stopped for it");
    // Nobody may be stopped at all: then giving back is the borrower's part.
    only<Header>(log).preemptions_per_hour_max = 0;
    EXPECT_EQ(judge(log).of(Rule::loan).violated, 0U);
}

TEST(CheckerOfLoans, SaysWhichGangsWouldNotBeHadBack) {
    Log log = loan_log();
    erase_about<LoanEnded>(log, 1);
    EXPECT_EQ(judge(log).of(Rule::loan).first.at(0).sentence,
              "loan 1 begins, and of 1 gangs that wait for chip of its own lab could not have all "
              "by stopping borrowers only");
}

// The lab has lent one of its two nodes, and jobs of the shop lie on both when a gang of the lab
// comes that needs a whole one. So the loan is called back.
Log scattered_log() {
    Log log = loan_log();
    log.resize(1);  // the header
    const auto say = [&](std::int64_t at, What what) {
        log.push_back({at_seconds(at), std::move(what)});
    };
    const auto job_of = [](std::uint64_t id, const char* organisation, std::uint32_t chips) {
        Submitted job = small_job(id, 1, chips);
        job.organisation = organisation;
        return job;
    };
    say(0,
        Lent{.loan = 0,
             .lender = "lab",
             .borrower = "shop",
             .amounts = {{0, 4000}},
             .begins = at_seconds(0),
             .until = at_seconds(500),
             .notice = seconds(40)});
    for (const std::uint64_t id : {501, 502}) {
        say(0, job_of(id, "shop", 2));
        const auto node = static_cast<std::uint32_t>(id - 501);
        say(0, Started{JobId{id}, "fits_now", on({nodes(node, 1, 0x3)})});
    }
    say(0, small_job(503, 2, 4));
    say(0, Started{JobId{503}, "fits_now", on({nodes(2, 2, 0xF)})});
    say(10, job_of(504, "lab", 4));
    say(10, CalledBack{0, at_seconds(50)});
    say(60, Ended{.job = JobId{501}});
    say(60, Started{JobId{504}, "fits_now", on({nodes(0, 1, 0xF)})});
    for (const std::uint64_t id : {502, 503, 504})
        say(90, Ended{.job = JobId{id}});
    return log;
}

constexpr const char* in_the_way =
    "of 1 gangs that wait for chip of its own lab could have all by stopping borrowers only, were "
    "it not for what it has lent (loan 0), and that is not called back";

TEST(CheckerOfLoans, FindALoanInItsLendersWayThatIsNotCalledBackAtOnce) {
    EXPECT_EQ(words_of(judge(scattered_log())), "");
    Log never = scattered_log();
    erase_about<CalledBack>(never, 0);
    EXPECT_EQ(judge(never).of(Rule::loan).first.at(0).sentence, in_the_way);
    EXPECT_EQ(judge(never).of(Rule::loan).violated, 1U);
    Log later = scattered_log();
    const std::size_t recall = of<CalledBack>(later, 0);
    later[recall] = {at_seconds(11), CalledBack{0, at_seconds(51)}};
    EXPECT_EQ(judge(later).of(Rule::loan).first.at(0).sentence, in_the_way);
}

TEST(CheckerOfLoans, AskForNoRecallThatBringsNothingSooner) {
    for (const What& instead : {What{Promised{JobId{504}, at_seconds(50)}},
                                What{Cancelled{JobId{504}}},
                                What{NodeHealth{PoolId{0}, 0, Health::drained}}}) {
        Log log = scattered_log();
        log[of<CalledBack>(log, 0)].what = instead;
        log.resize(of<Lent>(log, 0) + 9);
        if (std::holds_alternative<NodeHealth>(instead)) {
            // Nor without the loan: a half of the other node is the centre's.
            the<Submitted>(log, 502).organisation = "";
        }
        EXPECT_EQ(words_of(judge(log)), "");
    }
    Log soon_over = scattered_log();
    erase_about<CalledBack>(soon_over, 0);
    about<Lent>(soon_over, 0).until = at_seconds(50);
    the<Submitted>(soon_over, 501).limit = seconds(50);
    the<Submitted>(soon_over, 502).limit = seconds(50);
    soon_over.resize(of<Lent>(soon_over, 0) + 8);
    EXPECT_EQ(words_of(judge(soon_over)), "");
}

TEST(CheckerOfLoans, FindThatANodeWhichFailsPutsALoanInItsLendersWay) {
    Log log = scattered_log();
    erase_about<CalledBack>(log, 0);
    // Both jobs of the shop lie on one node, so the gang could have the other one.
    the<Started>(log, 502).on = on({nodes(0, 1, 0xC)});
    log.resize(of<Lent>(log, 0) + 8);
    log.push_back({at_seconds(20), Promised{JobId{504}, never}});
    EXPECT_EQ(words_of(judge(log)), "");
    log.push_back({at_seconds(30), NodeHealth{PoolId{0}, 1, Health::down}});
    EXPECT_EQ(judge(log).of(Rule::loan).first.at(0).sentence, in_the_way);
}

TEST(CheckerOfLoans, ComesToAnEndAlsoWhereALogGoesBeyondAllTimes) {
    Log log = loan_log();
    log.resize(2);  // the header and a loan
    about<Lent>(log, 0).until = never;
    const Time beyond = never + seconds(1);
    log.push_back({beyond, small_job(499, 1, 1)});
    log.push_back({beyond, Cancelled{JobId{499}}});
    EXPECT_EQ(judge(log).of(Rule::loan).violated, 0U);
}

// The pool and the gangs of docs/concepts/organisations.md.
TEST(LoanBooks, CountCellsAsTheDocumentationDoes) {
    fleet::Pool pool;
    pool.nodes = 8;
    pool.chips_per_node = 8;
    pool.nodes_per_rack = 2;
    pool.racks_per_pod = 4;
    const std::vector<std::uint32_t> free{0, 8, 7, 8, 8, 8, 8, 8};
    const Gang rack{2, 8, fleet::Level::rack};
    const Gang node{1, 8, fleet::Level::node};
    const Gang half{3, 1, fleet::Level::node};
    std::vector<Gang> gangs{half, node, rack, half, node, node};
    EXPECT_TRUE(all_fit(gangs, pool, free));
    gangs.push_back(half);
    EXPECT_TRUE(all_fit(gangs, pool, free));
    gangs.push_back(half);
    EXPECT_FALSE(all_fit(gangs, pool, free));
    EXPECT_FALSE(all_fit({rack, rack, node, node, node}, pool, free));
}

}  // namespace
}  // namespace weir::audit
