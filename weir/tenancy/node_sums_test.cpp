// Runs of nodes against one entry a node.
#include "weir/tenancy/node_sums.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

#include "weir/base/random.hpp"

namespace weir::tenancy {
namespace {

RC_GTEST_PROP(NodeSums, AgreesWithOneEntryANode, ()) {
    Random random(*rc::gen::arbitrary<std::uint64_t>());
    const auto nodes = static_cast<std::uint32_t>(random.between(1, 300));
    const auto run = [&] {
        const auto a = static_cast<std::uint32_t>(random.between(0, nodes));
        const auto b = static_cast<std::uint32_t>(random.between(0, nodes));
        return std::pair(std::min(a, b), std::max(a, b));
    };
    NodeSums sums(nodes);
    std::vector<std::uint64_t> each(nodes, 0);
    for (int step = 0; step < 60; ++step) {
        const auto [first, last] = run();
        const auto amount = static_cast<std::uint64_t>(random.between(-1000, 64'000));
        sums.add(first, last, amount);
        for (std::uint32_t i = first; i < last; ++i)
            each[i] += amount;
        const auto [low, high] = run();
        std::uint64_t sum = 0;
        for (std::uint32_t i = low; i < high; ++i)
            sum += each[i];
        RC_ASSERT(sums.sum(low, high) == sum);
    }
}

RC_GTEST_PROP(NodeBits, AgreesWithOneEntryANode, ()) {
    Random random(*rc::gen::arbitrary<std::uint64_t>());
    const auto nodes = static_cast<std::uint32_t>(random.between(1, 300));
    NodeBits bits(nodes);
    std::vector<bool> each(nodes, false);
    for (int step = 0; step < 60; ++step) {
        const auto a = static_cast<std::uint32_t>(random.between(0, nodes));
        const auto b = static_cast<std::uint32_t>(random.between(0, nodes));
        const std::uint32_t first = std::min(a, b);
        const std::uint32_t last = std::max(a, b);
        const bool to = random.chance(0.6);
        std::vector<bool> changed(nodes, false);
        std::uint32_t end_before = 0;
        bits.set(first, last, to, [&](std::uint32_t low, std::uint32_t high) {
            RC_ASSERT(low < high);
            RC_ASSERT(end_before == 0 || low > end_before);  // or it would be one run
            end_before = high;
            for (std::uint32_t i = low; i < high; ++i)
                changed[i] = true;
        });
        std::uint64_t set = 0;
        std::vector<std::uint32_t> seen;
        for (std::uint32_t i = 0; i < nodes; ++i) {
            const bool inside = i >= first && i < last;
            RC_ASSERT(changed[i] == (inside && each[i] != to));
            if (inside) each[i] = to;
            RC_ASSERT(bits.at(i) == each[i]);
            if (i >= first / 2 && i < last && each[i]) {
                ++set;
                seen.push_back(i);
            }
        }
        RC_ASSERT(bits.count(first / 2, last) == set);
        std::vector<std::uint32_t> told;
        bits.each(first / 2, last, [&](std::uint32_t node) { told.push_back(node); });
        RC_ASSERT(told == seen);
        const auto one = static_cast<std::uint32_t>(random.between(0, nodes - 1));
        bits.set(one, to);
        each[one] = to;
    }
}

RC_GTEST_PROP(NodeBits, BecomesOneListAfterAnother, ()) {
    Random random(*rc::gen::arbitrary<std::uint64_t>());
    const auto nodes = static_cast<std::uint32_t>(random.between(1, 300));
    using List = std::vector<std::pair<std::uint32_t, std::uint32_t>>;
    NodeBits bits(nodes);
    List before;
    std::vector<bool> each(nodes, false);
    for (int step = 0; step < 30; ++step) {
        List after;
        for (std::int64_t n = random.between(0, 5); n > 0; --n) {
            const auto first = static_cast<std::uint32_t>(random.between(0, nodes - 1));
            after.emplace_back(first, static_cast<std::uint32_t>(random.between(first + 1, nodes)));
        }
        std::vector<bool> told = each;
        bits.become(before, after, [&](std::uint32_t first, std::uint32_t last, bool to) {
            for (std::uint32_t i = first; i < last; ++i) {
                RC_ASSERT(told[i] != to);
                told[i] = to;
            }
        });
        std::fill(each.begin(), each.end(), false);
        for (const auto& [first, last] : after)
            std::fill(each.begin() + first, each.begin() + last, true);
        RC_ASSERT(told == each);
        std::uint64_t set = 0;
        for (std::uint32_t i = 0; i < nodes; ++i) {
            RC_ASSERT(bits.at(i) == each[i]);
            set += each[i] ? 1 : 0;
        }
        RC_ASSERT(bits.count(0, nodes) == set);
        before = after;
    }
}

}  // namespace
}  // namespace weir::tenancy
