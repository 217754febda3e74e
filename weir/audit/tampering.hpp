// For tests: a log is changed in a line or two, and the checker has to say which rule is broken.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "weir/audit/checker.hpp"

namespace weir::audit {

using Log = std::vector<Record>;

inline Report judge(const Log& log) {
    Checker checker;
    std::uint64_t line = 0;
    for (const Record& record : log)
        checker.add(record, ++line);
    return checker.finish();
}

inline std::string words_of(const Report& report) {
    std::string all;
    for (std::size_t i = 0; i < rules; ++i) {
        for (const Violation& violation : report.verdicts[i].first) {
            all += std::string(name_of(static_cast<Rule>(i))) + " in line " +
                   std::to_string(violation.line) + ": " + violation.sentence + "\n";
        }
    }
    return all;
}

// The n-th record of a kind about a job.
template <class Kind>
std::size_t find(const Log& log, std::uint64_t job, int n = 1) {
    for (std::size_t i = 0; i < log.size(); ++i) {
        const Kind* what = std::get_if<Kind>(&log[i].what);
        if (what != nullptr && what->job == JobId{job} && --n == 0) return i;
    }
    ADD_FAILURE() << "no such record of job " << job;
    return 0;
}
template <class Kind>
Kind& the(Log& log, std::uint64_t job, int n = 1) {
    return std::get<Kind>(log[find<Kind>(log, job, n)].what);
}
template <class Kind>
Kind& only(Log& log) {
    for (Record& record : log) {
        if (Kind* what = std::get_if<Kind>(&record.what)) return *what;
    }
    throw std::logic_error("no such record");
}
template <class Kind>
void erase(Log& log, std::uint64_t job, int n = 1) {
    log.erase(log.begin() + static_cast<std::ptrdiff_t>(find<Kind>(log, job, n)));
}
inline void insert_before(Log& log, std::size_t at, Record record) {
    log.insert(log.begin() + static_cast<std::ptrdiff_t>(at), std::move(record));
}

struct Tampering {
    const char* what;
    Rule rule;
    std::function<void(Log&)> change;
};

// The log keeps every rule, and after each of the changes the checker says which is broken.
inline void expect_each_is_found(const Log& clean, const std::vector<Tampering>& tamperings) {
    ASSERT_EQ(words_of(judge(clean)), "");
    for (const Tampering& tampering : tamperings) {
        Log log = clean;
        tampering.change(log);
        const Report report = judge(log);
        const Verdict& verdict = report.of(tampering.rule);
        ASSERT_GE(verdict.violated, 1U) << tampering.what << " is not found; found was\n"
                                        << words_of(report);
        EXPECT_GT(verdict.first.at(0).line, 0U);
        EXPECT_FALSE(verdict.first.at(0).sentence.empty());
    }
}

}  // namespace weir::audit
