// What the checker says of data: on a small log that keeps the rules, and on what comes of it by
// one change.
#include <gtest/gtest.h>

#include "weir/audit/data_books.hpp"
#include "weir/audit/small_log.hpp"
#include "weir/audit/tampering.hpp"

namespace weir::audit {
namespace {

template <class Kind>
std::size_t of(const Log& log, const std::string& dataset) {
    for (std::size_t i = 0; i < log.size(); ++i) {
        const Kind* what = std::get_if<Kind>(&log[i].what);
        if (what != nullptr && what->dataset == dataset) return i;
    }
    ADD_FAILURE() << "no such record of " << dataset;
    return 0;
}

const std::vector<Tampering> tamperings = {
    {"a job reads what nobody brought",
     Rule::data,
     [](Log& log) { the<Submitted>(log, 301).data.push_back("mesh"); }},
    {"a job starts before its data is there",
     Rule::data,
     [](Log& log) { std::swap(log[of<Arrived>(log, "era5")], log[find<Started>(log, 301)]); }},
    {"a copy never comes",
     Rule::data,
     [](Log& log) {
         log.erase(log.begin() + static_cast<std::ptrdiff_t>(of<Arrived>(log, "mesh")));
     }},
    {"a copy is there before its time",
     Rule::data,
     [](Log& log) { std::get<Copied>(log[of<Copied>(log, "mesh")].what).until = at_seconds(31); }},
    {"a dataset comes from where it does not lie",
     Rule::data,
     [](Log& log) { only<Header>(log).fleet.sites[1].storage.datasets.erase("mesh"); }},
    {"a copy goes over links that do not lead there",
     Rule::data,
     [](Log& log) { std::get<Copied>(log[of<Copied>(log, "mesh")].what).over = {0}; }},
    {"a copy goes over a link that begins elsewhere",
     Rule::data,
     [](Log& log) {
         std::get<Copied>(log[of<Copied>(log, "mesh")].what).over = {1, 0};
     }},
    {"a link carries two copies at once",
     Rule::data,
     [](Log& log) {
         auto& mesh = std::get<Copied>(log[of<Copied>(log, "mesh")].what);
         std::get<Copied>(log[of<Copied>(log, "era5")].what).until = at_seconds(10);
         mesh.begins = at_seconds(20);
         insert_before(log,
                       find<Started>(log, 301),
                       {at_seconds(10), Copied{"mesh", 1, 2, at_seconds(21), at_seconds(10), {0}}});
     }},
    {"a copy is faster than its links",
     Rule::data,
     [](Log& log) { only<Header>(log).fleet.links[1].bytes_per_s = 4; }},
    {"a copy is faster than the storage that it is read from",
     Rule::data,
     [](Log& log) { only<Header>(log).fleet.sites[1].storage.bytes_per_s = 4; }},
    {"something arrives that nobody copied",
     Rule::data,
     [](Log& log) {
         log.erase(log.begin() + static_cast<std::ptrdiff_t>(of<Copied>(log, "mesh")));
     }},
    {"it is copied where it is already",
     Rule::data,
     [](Log& log) {
         insert_before(log, find<Started>(log, 301), {at_seconds(10), Copied{"era5", 1, 0, {}}});
     }},
    {"a storage has to keep too much",
     Rule::data,
     [](Log& log) { only<Header>(log).fleet.sites[0].storage.capacity = Bytes{59}; }},
    {"nothing makes room",
     Rule::data,
     [](Log& log) {
         log.erase(log.begin() + static_cast<std::ptrdiff_t>(of<Forgotten>(log, "era5")));
     }},
    {"what somebody reads makes room",
     Rule::data,
     [](Log& log) {
         insert_before(log, find<Ended>(log, 301), {at_seconds(20), Forgotten{"era5", 0}});
     }},
    {"what lies there for good makes room",
     Rule::data,
     [](Log& log) { std::get<Forgotten>(log[of<Forgotten>(log, "era5")].what).site = 1; }},
    {"what is not there makes room",
     Rule::data,
     [](Log& log) { std::get<Forgotten>(log[of<Forgotten>(log, "era5")].what).dataset = "wind"; }},
};

TEST(DataChecker, FindsNothingInALogThatKeepsTheRules) {
    const Report report = judge(data_log());
    EXPECT_EQ(words_of(report), "");
    EXPECT_EQ(report.verdicts[static_cast<std::size_t>(Rule::data)].checked, 7U);
}

TEST(DataChecker, FindsAndNamesEveryTampering) {
    for (const Tampering& tampering : tamperings) {
        SCOPED_TRACE(tampering.what);
        Log log = data_log();
        tampering.change(log);
        const Report report = judge(log);
        EXPECT_GT(report.verdicts[static_cast<std::size_t>(tampering.rule)].violated, 0U)
            << words_of(report);
    }
}

}  // namespace
}  // namespace weir::audit
