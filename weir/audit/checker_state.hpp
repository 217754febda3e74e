// The state of the checker, private to checker.cpp (what happened), checker_rules.cpp (how it is
// judged) and checker_loans.cpp (what loans mean for that).
#pragma once

#include <fmt/format.h>

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weir/audit/books.hpp"
#include "weir/audit/checker.hpp"
#include "weir/audit/data_books.hpp"
#include "weir/audit/loan_books.hpp"
#include "weir/audit/quota_books.hpp"
#include "weir/audit/waterfall_books.hpp"

namespace weir::audit {

enum class Stage : std::uint8_t { waits, runs, over };

struct Promise {
    Time by;
    std::uint64_t line;  // where it was made
};

// To what it will count, from the time of the promise on.
struct PromisedRight {
    QuotaBooks::Charges charges;
    Time by;
    std::uint32_t size = 0;
};

struct Job {
    Submitted asked;  // of one that has started, in the size that it took
    std::optional<std::uint32_t> size;
    std::vector<PoolId> accepts;  // pools of all its sizes that are open to it
    std::uint64_t line = 0;       // of its submission
    Stage stage = Stage::waits;
    bool asked_to_stop = false;
    Came outcome = Came::succeeded;
    Time started{};
    fleet::Placement on;
    std::size_t house = 0;        // of the quota books
    QuotaBooks::Charges charged;  // while it runs
    // What it had a right to when it was promised it; whoever owns more may have come since then.
    std::vector<PromisedRight> promised_rights;
    // By line and by time: one that is no stricter than a later one says nothing more.
    std::vector<Promise> promises;
    Time expected = never;  // by what it was promised last, while it waits
    std::vector<std::pair<PoolId, std::uint32_t>> lost;  // nodes, not replaced yet
};

struct Array {
    std::uint32_t running = 0;
    std::uint64_t started_line = 0;  // of the last member that started
};

struct Checker::State {
    Report report;
    std::uint64_t line = 0;
    Time now = Time::min();

    // One run.
    std::optional<Header> header;
    std::optional<Books> books;
    std::optional<QuotaBooks> quotas;
    std::optional<QuotaBooks> plain;  // without loans, and nobody uses anything
    LoanBooks loans;
    // Loans that are to be judged once all of their moment has been heard.
    Time loans_moved{};
    LoanBooks::Passed unjudged;
    std::uint64_t loans_changed_line = 0;
    std::optional<DataBooks> data;
    std::unordered_map<JobId, Job> jobs;  // that wait or run
    std::unordered_map<JobId, Came> over;
    std::unordered_map<JobId, Array> arrays;
    std::vector<SetApart> apart;
    std::deque<Time> preempted;  // in the last hour
    // Lines of the last excuse of a kind, by pool; and by class, of who came in front of it.
    std::vector<std::array<std::uint64_t, 3>> pool_excuses;
    std::array<std::uint64_t, 4> higher_came{};
    // Where the run counts where its chip-seconds went.
    std::optional<WaterfallBooks> counted;
    bool closed = false;            // by its waterfall: nothing of it is missing
    bool told_of_no_unit = false;   // that its header does not say ...
    bool told_of_no_links = false;  // ... this or that
    std::uint64_t header_line = 0;
    std::vector<JobId> conditional;  // jobs that wait for others or for their turn in an array
    std::optional<std::pair<JobId, Split>> settled;  // by the line before

    // Counts a check of the rule, and a violation unless it held.
    template <class Sentence>
    bool expect(Rule rule, bool held, Sentence sentence);
    template <class Sentence>
    bool sense(bool held, Sentence sentence) {
        return expect(Rule::sense, held, sentence);
    }
    // As it would be in that size, of those that were offered.
    [[nodiscard]] static Job in_size(const Job& job, std::uint32_t size);
    void settle_size(Job& job, std::uint32_t size);
    Job* known(JobId id, Stage stage, Rule rule, std::string_view what);

    void close_run();
    void came_in_front(Class priority);
    Excuse excuse_since(const Job& job, std::uint64_t since) const;
    void judge_promises(const Job& job, Time at, std::string_view how);
    void judge_deadline(const Job& job, Time at, std::string_view how);
    void judge_limit(const Job& job, Time at);
    bool well_formed(const Job& job, const fleet::Placement& on);
    void judge_domain(const Job& job, const fleet::Placement& on);
    void judge_health(const Job& job, const fleet::Placement& on, const fleet::Placement& kept);
    void judge_apart(const Job& job, const fleet::Placement& on);
    void judge_data(const std::string& wrong) {
        expect(Rule::data, wrong.empty(), [&] { return wrong; });
    }
    void judge_contract(const Job& job, const fleet::Placement& on);
    [[nodiscard]] QuotaBooks::Charges charges_in(const Job& job, PoolId pool) const;
    void charge(Job& job, PoolId pool);
    void discharge(Job& job);
    void judge_class(const Job& victim, const Job& winner);
    void judge_reclaim(const Job& victim, const Job& winner);
    [[nodiscard]] bool comes_behind(const Job& job, const Job& other) const;
    [[nodiscard]] bool may_take_back(const Job& victim, const Job& winner, Time at) const;

    // checker_loans.cpp
    // The time by which it is gone by its limit.
    [[nodiscard]] static Time end_by(const Job& job);
    // Whether it still counts at `at`, as far as is known now.
    [[nodiscard]] bool counts_at(const Job& job, Time at) const {
        return at <= now || (end_by(job) > at && !job.asked_to_stop);
    }
    // Rights and usage as they will be at `at`, or are now; of what is called back also without.
    [[nodiscard]] QuotaBooks rights_at(Time at, bool recalled_too = true) const;
    // Whether the job has the right at every moment from then on until its limit. What starts anew
    // does without loans that are called back.
    [[nodiscard]] bool has_right(const Job& job,
                                 const QuotaBooks::Charges& charges,
                                 Time from,
                                 bool anew) const;
    [[nodiscard]] bool might_ever(const Job& job, const QuotaBooks::Charges& charges) const;
    void loans_come_to(Time to, bool decides);
    void loans_changed();
    void count_lent(std::uint32_t loan, bool back);
    void judge_unjudged();
    [[nodiscard]] std::string not_recoverable(const LoanBooks::Loan& loan) const;
    void judge_lending();
    [[nodiscard]] std::optional<std::string> in_the_way(std::size_t lender,
                                                        std::uint32_t resource) const;
    // Whoever waits for what the lender has left of its own of these chips.
    struct Waiting {
        std::vector<Gang> gangs;
        Time all_start_by = Time::min();  // as they are promised
    };
    [[nodiscard]] Waiting waiting_for_own(std::size_t lender,
                                          std::uint32_t resource,
                                          bool only_ready) const;
    [[nodiscard]] bool has_pool(std::uint32_t resource) const;
    [[nodiscard]] bool could_be_had(const std::vector<Gang>& gangs,
                                    std::uint32_t resource,
                                    const QuotaBooks& rights) const;
    [[nodiscard]] std::string not_back(const LoanBooks::Loan& loan) const;
    [[nodiscard]] bool rules_keep_from_stopping(std::size_t borrower) const;
    [[nodiscard]] std::uint64_t free_chips_milli(PoolId pool) const;
    void judge_loan(const std::string& wrong) {
        expect(Rule::loan, wrong.empty(), [&] { return wrong; });
    }
    void take(Job& job, const fleet::Placement& on);
    void finish(JobId id, Came outcome, const Ended* end = nullptr);
    bool asks(const Job& job) const;
    void ask_again();
    void judge_waterfall(const Waterfall& said);
    void judge_account(const Account* said);

    void on(const Header& what);
    void on(const Submitted& what);
    void on(const Started& what);
    void on(const Ended& what);
    void on(const Cancelled& what);
    void on(const Promised& what);
    void on(const Dropped& what);
    void on(const Preempted& what);
    void on(const NodeLost& what);
    void on(const Replaced& what);
    void on(const NodeHealth& what);
    void on(const CapSet& what);
    void on(const SetApart& what);
    void on(const GivenBack& what);
    void on(const Copied& what);
    void on(const Arrived& what);
    void on(const Forgotten& what);
    void on(const Lent& what);
    void on(const CalledBack& what);
    void on(const LoanEnded& what);
    void on(const Account& what);
    void on(const Waterfall& what);
    void has_no_unit();
};

template <class Sentence>
bool Checker::State::expect(Rule rule, bool held, Sentence sentence) {
    Verdict& verdict = report.verdicts[static_cast<std::size_t>(rule)];
    ++verdict.checked;
    if (held) return true;
    ++verdict.violated;
    if (verdict.first.size() < violations_shown) verdict.first.push_back({line, sentence()});
    return false;
}

std::string at_text(Time at);
bool contains(const fleet::Placement& placement, PoolId pool, std::uint32_t node);
bool came_as_asked(Came outcome, Waits waits);

}  // namespace weir::audit
