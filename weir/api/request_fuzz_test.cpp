#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "weir/api/target.hpp"
#include "weir/base/random.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

namespace weir::api {
namespace {

int feed(const std::string& input) {
    return LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()),
                                  input.size());
}

// Seeds, and what comes of each by a few random changes.
TEST(RequestFuzz, SurvivesACorpusOfBytesFromOutside) {
    const std::vector<std::string> corpus = {
        "",
        "0/",
        "0/v1/jobs?state=pending,running&limit=10&name=a%20b+c",
        "0/v1/jobs/%2F%00/logs?&&=&a",
        "0http://127.0.0.1:8421/v1//jobs/?x=%",
        "0/" + std::string(9000, '%'),
        R"(1{"jobs":[{"format":"yaml","text":"name: a\nrun: b\n","key":"k"}],"user":"u"})",
        R"(1{"jobs":[{"format":"sbatch","text":"#!/bin/sh\n#SBATCH -n 4\necho","args":["x"]}]})",
        R"(1{"jobs":[{"format":"spec","spec":{"script":"x","gang":{}}}],"env":{"A":"b"}})",
        R"(1{"jobs":[{"format":"yaml","text":"a: &a [*a,*a]"}],"jobs":[]})",
        "1" + std::string(2000, '['),
        "1{\"jobs\":[\"\xff\xfe\"]}",
        "2localhost:8421http://localhost:8421",
        "2[::1]:0",
        "2[[[::::",
        "2hub.example.org.:80http://hub.example.org.:80",
    };
    Random random(2026);
    for (const std::string& seed : corpus) {
        EXPECT_EQ(feed(seed), 0);
        for (int round = 0; round < 200; ++round) {
            std::string changed = seed;
            for (std::int64_t n = random.between(1, 4); n > 0 && !changed.empty(); --n) {
                const auto at = static_cast<std::size_t>(
                    random.between(0, static_cast<std::int64_t>(changed.size()) - 1));
                switch (random.between(0, 2)) {
                    case 0:
                        changed[at] = static_cast<char>(random.between(0, 255));
                        break;
                    case 1:
                        changed.erase(at, 1);
                        break;
                    default:
                        changed.insert(at, changed.substr(at / 2, 8));
                        break;
                }
            }
            // The reader stays the one of the seed.
            if (!changed.empty() && !seed.empty()) changed[0] = seed[0];
            EXPECT_EQ(feed(changed), 0);
        }
    }
}

RC_GTEST_PROP(Target, IsReadAgainAsItWasPrinted, ()) {
    const auto text = rc::gen::container<std::string>(
        rc::gen::distinctFrom(rc::gen::inRange<char>(' ', '\x7f'), '\x7f'));
    Target target;
    target.segments = *rc::gen::container<std::vector<std::string>>(text);
    const auto query = *rc::gen::container<std::vector<std::pair<std::string, std::string>>>(
        rc::gen::pair(text, text));
    for (std::size_t i = 0; i < query.size() && i < 60; ++i)
        target.query.push_back(query[i]);
    const std::string printed = text_of(target);
    RC_PRE(printed.size() < 8192);
    const auto again = parse_target(printed);
    RC_ASSERT(again.has_value());
    RC_ASSERT(*again == target);
}

}  // namespace
}  // namespace weir::api
