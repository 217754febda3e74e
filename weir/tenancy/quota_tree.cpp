#include "weir/tenancy/quota_tree.hpp"

#include <algorithm>

#include "weir/base/assert.hpp"

namespace weir::tenancy {

QuotaTree::QuotaTree(const Organisations& organisations, const std::vector<Amount>& capacity)
    : resources_(static_cast<std::uint32_t>(organisations.resources.size())) {
    WEIR_ASSERT(capacity.size() == resources_);
    const std::size_t count = organisations.tenants.size();
    cells_.resize(count * resources_);
    borrowers_.resize(resources_, 0);
    std::vector<Amount> lend(cells_.size(), no_limit);
    for (std::size_t i = 0; i < count; ++i) {
        const Tenant& tenant = organisations.tenants[i];
        WEIR_ASSERT(i == 0 ? !tenant.parent.valid() : tenant.parent.value < i);
        parents_.push_back(tenant.parent);
        depths_.push_back(i == 0 ? 0 : depths_[tenant.parent.value] + 1);
        const std::size_t row = i * resources_;
        for (const Allowance& each : tenant.quota)
            cells_[row + each.resource].nominal = each.amount;
        for (const Allowance& each : tenant.lend)
            lend[row + each.resource] = each.amount;
        for (const Allowance& each : tenant.borrow)
            cells_[row + each.resource].borrow = each.amount;
    }
    if (count == 0) return;
    for (std::uint32_t r = 0; r < resources_; ++r) {
        Amount named = 0;
        for (std::size_t i = 0; i < count; ++i)
            named += cells_[i * resources_ + r].nominal;
        cells_[r].nominal += std::max<Amount>(0, capacity[r] - named);
        for (std::size_t i = count; i-- > 0;) {
            Cell& cell = cells_[i * resources_ + r];
            cell.subtree += cell.nominal;
            if (i == 0) break;
            const Amount limit = lend[i * resources_ + r];
            cell.local = limit == no_limit ? 0 : std::max<Amount>(0, cell.subtree - limit);
            at(parents_[i], r).subtree += cell.subtree - cell.local;
        }
        for (std::size_t i = 0; i < count; ++i) {
            Cell& cell = cells_[i * resources_ + r];
            cell.potential =
                i == 0 ? cell.subtree
                       : cell.local + std::min(at(parents_[i], r).potential, cell.from_parent(0));
        }
    }
}

Amount QuotaTree::within(TenantId x, std::uint32_t r, TenantId house, Amount available) const {
    if (x == house) return available;
    const Cell& cell = at(x, r);
    const Amount p =
        std::min(within(parents_[x.value], r, house, available), cell.from_parent(cell.usage));
    return std::max<Amount>(0, cell.local - cell.usage) + p;
}

Amount QuotaTree::available(TenantId x, std::uint32_t r) const {
    const TenantId root{0};
    const Cell& all = at(root, r);
    return within(x, r, root, all.subtree - all.usage);
}

Amount QuotaTree::potential(TenantId x, std::uint32_t r) const {
    return at(x, r).potential;
}

TenantId QuotaTree::owner(TenantId x, std::uint32_t r, Amount amount) const {
    for (TenantId house = x; parents_[house.value].valid(); house = parents_[house.value]) {
        const Cell& cell = at(house, r);
        if (amount <= within(x, r, house, cell.subtree - cell.usage)) return house;
    }
    return TenantId::none();
}

bool QuotaTree::owns(TenantId x, std::uint32_t r, Amount amount) const {
    return owner(x, r, amount).valid();
}

void QuotaTree::use(TenantId x, std::uint32_t r, Amount amount) {
    while (amount > 0) {
        Cell& cell = at(x, r);
        const Amount before = std::max<Amount>(0, cell.usage - cell.local);
        const bool borrowed = cell.usage > cell.subtree;
        cell.usage += amount;
        if (!borrowed && cell.usage > cell.subtree && x.value > 0) ++borrowers_[r];
        amount = std::max<Amount>(0, cell.usage - cell.local) - before;
        x = parents_[x.value];
        if (!x.valid()) return;
    }
}

void QuotaTree::give_back(TenantId x, std::uint32_t r, Amount amount) {
    while (amount > 0) {
        Cell& cell = at(x, r);
        WEIR_ASSERT(cell.usage >= amount);
        const Amount before = std::max<Amount>(0, cell.usage - cell.local);
        const bool borrowed = cell.usage > cell.subtree;
        cell.usage -= amount;
        if (borrowed && cell.usage <= cell.subtree && x.value > 0) --borrowers_[r];
        amount = before - std::max<Amount>(0, cell.usage - cell.local);
        x = parents_[x.value];
        if (!x.valid()) return;
    }
}

bool QuotaTree::borrows_below(TenantId x, std::uint32_t r, TenantId top) const {
    for (; x != top; x = parents_[x.value]) {
        WEIR_ASSERT(x.valid());
        if (borrowed(x, r) == 0) return false;
    }
    return true;
}

bool QuotaTree::is_inside(TenantId x, TenantId house) const {
    while (depths_[x.value] > depths_[house.value])
        x = parents_[x.value];
    return x == house;
}

TenantId QuotaTree::common(TenantId a, TenantId b) const {
    while (a != b) {
        TenantId& deeper = depths_[a.value] >= depths_[b.value] ? a : b;
        deeper = parents_[deeper.value];
    }
    return a;
}

}  // namespace weir::tenancy
