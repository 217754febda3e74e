// PlainTree: the formulas of quota_tree.hpp as they stand there, for one resource, worked out from
// the leaves for every question. Slow and obviously right; for tests.
#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "weir/tenancy/organisations.hpp"
#include "weir/tenancy/quota_tree.hpp"

namespace weir::tenancy {

class PlainTree {
public:
    PlainTree(const Organisations& house, Amount capacity) : house_(house) {
        Amount named = 0;
        for (std::uint32_t i = 0; i < house.tenants.size(); ++i)
            named += of(house.tenants[i].quota, 0);
        spare_ = std::max<Amount>(0, capacity - named);
    }

    Amount subtree(TenantId x) const {
        Amount sum = of(house_.tenant(x).quota, 0) + (x.value == 0 ? spare_ : 0);
        for (const TenantId child : children(x))
            sum += subtree(child) - local(child);
        return sum;
    }
    Amount local(TenantId x) const {
        const Amount lend = of(house_.tenant(x).lend, -1);
        return lend < 0 || x.value == 0 ? 0 : std::max<Amount>(0, subtree(x) - lend);
    }
    Amount usage(TenantId x) const {
        const auto its = direct_.find(x);
        Amount sum = its == direct_.end() ? 0 : its->second;
        for (const TenantId child : children(x))
            sum += std::max<Amount>(0, usage(child) - local(child));
        return sum;
    }
    Amount available(TenantId x) const { return available_below(x, TenantId{0}); }
    Amount available_below(TenantId x, TenantId house) const {
        if (x == house) return subtree(x) - usage(x);
        Amount p = available_below(house_.tenant(x).parent, house);
        const Amount borrow = of(house_.tenant(x).borrow, -1);
        if (borrow >= 0) {
            p = std::min(p,
                         subtree(x) - local(x) - std::max<Amount>(0, usage(x) - local(x)) + borrow);
        }
        return std::max<Amount>(0, local(x) - usage(x)) + p;
    }
    bool owns(TenantId x, Amount amount) const {
        for (TenantId house = x; house.value != 0; house = house_.tenant(house).parent)
            if (amount <= available_below(x, house)) return true;
        return false;
    }
    void use(TenantId x, Amount amount) { direct_[x] += amount; }

private:
    static Amount of(const std::vector<Allowance>& list, Amount absent) {
        return list.empty() ? absent : list.front().amount;
    }
    std::vector<TenantId> children(TenantId x) const {
        std::vector<TenantId> list;
        for (std::uint32_t i = 1; i < house_.tenants.size(); ++i)
            if (house_.tenants[i].parent == x) list.push_back(TenantId{i});
        return list;
    }

    const Organisations& house_;
    Amount spare_ = 0;
    std::map<TenantId, Amount> direct_;
};

}  // namespace weir::tenancy
