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

}  // namespace
}  // namespace weir::tenancy
