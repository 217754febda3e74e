// An organisations file as text, and the page that explains the language.
#include <fmt/format.h>

#include <map>

#include "weir/tenancy/organisations_file.hpp"

namespace weir::tenancy {
namespace {

std::string quoted(std::string_view text) {
    // Names hold neither quotes nor backslashes: schema::test_name().
    return fmt::format("\"{}\"", text);
}

class Printer {
public:
    explicit Printer(const OrganisationsFile& file) : file_(file) {
        const auto& tenants = file.organisations.tenants;
        for (std::uint32_t i = 1; i < tenants.size(); ++i)
            children_[tenants[i].parent].push_back(TenantId{i});
        for (const Budget& budget : file.budgets)
            budgets_.emplace(budget.tenant, &budget);
    }

    // As the journal keeps it: without indentation, which would make of a deep tree many times what
    // was written; each organisation on a line of its own.
    std::string text() {
        out_ = "{tenants: [";
        tenants(TenantId{0});
        out_ += "]";
        list("loans", file_.loans, [this](const LoanContract& each) { loan(each); });
        list("vouchers", file_.vouchers, [this](const Voucher& each) { voucher(each); });
        out_ += "}\n";
        return std::move(out_);
    }

private:
    const std::string& path_of(TenantId id) const { return file_.organisations.tenant(id).path; }

    template <class Items, class Print>
    void list(std::string_view key, const Items& items, const Print& print) {
        if (items.empty()) return;
        out_ += fmt::format(",\n{}: [", key);
        for (const auto& each : items) {
            if (&each != &items.front()) out_ += ",\n";
            print(each);
        }
        out_ += "]";
    }

    void tenants(TenantId parent) {
        const auto children = children_.find(parent);
        if (children == children_.end()) return;
        for (const TenantId id : children->second) {
            if (id != children->second.front()) out_ += ",\n";
            tenant(id);
        }
    }

    void tenant(TenantId id) {
        const Tenant& its = file_.organisations.tenant(id);
        const std::string_view path = its.path;
        const auto add = [this](std::string_view key, const std::string& value) {
            out_ += fmt::format(", {}: {}", key, value);
        };
        out_ += fmt::format("{{name: {}", quoted(path.substr(path.rfind('/') + 1)));
        if (!its.quota.empty()) add("quota", amounts(its.quota));
        if (!its.lend.empty()) add("lend", amounts(its.lend));
        if (!its.borrow.empty()) add("borrow", amounts(its.borrow));
        if (its.weight_milli != 1000) {
            add("weight",
                fmt::format("{}.{:03}", its.weight_milli / 1000, its.weight_milli % 1000));
        }
        if (const auto budget = budgets_.find(id); budget != budgets_.end()) {
            add("budget",
                fmt::format("{{amount: {}, period: {}}}",
                            format_money(budget->second->amount),
                            name_of(budget->second->period)));
        }
        if (children_.count(id) > 0) {
            out_ += ", tenants: [";
            tenants(id);
            out_ += "]";
        }
        out_ += "}";
    }

    std::string amounts(const std::vector<Allowance>& list) const {
        std::string text;
        for (const Allowance& each : list) {
            const Resource& resource = file_.organisations.resources.at(each.resource);
            text +=
                fmt::format("{}{}: {}",
                            text.empty() ? "" : ", ",
                            resource.kind == Resource::Kind::cpus ? "cpus" : quoted(resource.name),
                            text_of(resource, each.amount));
        }
        return "{" + text + "}";
    }

    void loan(const LoanContract& loan) {
        out_ += fmt::format(
            "{{from: {}, to: {}, chips: {}, starts: {}, ends: {}, notice: {}ms, price: {}, "
            "early_recall: {}, penalty: {}}}",
            quoted(path_of(loan.lender)),
            quoted(path_of(loan.borrower)),
            amounts(loan.amounts),
            format_time(loan.window.begins),
            format_time(loan.window.ends),
            loan.notice.count(),
            format_price(loan.price),
            format_money(loan.early_recall),
            format_money(loan.penalty));
    }

    void voucher(const Voucher& voucher) {
        out_ += fmt::format("{{tenant: {}, amount: {}, valid: {}..{}",
                            quoted(path_of(voucher.tenant)),
                            format_money(voucher.amount),
                            format_time(voucher.valid.begins),
                            format_time(voucher.valid.ends));
        std::string chips = voucher.chips.domestic ? "domestic" : "";
        for (const std::string& name : voucher.chips.names)
            chips += (chips.empty() ? "" : ", ") + quoted(name);
        if (!chips.empty()) out_ += ", chips: [" + chips + "]";
        out_ += fmt::format(
            ", share: {}.{:04}%}}", voucher.share_ppm / 10'000, voucher.share_ppm % 10'000);
    }

    const OrganisationsFile& file_;
    std::map<TenantId, std::vector<TenantId>> children_;
    std::map<TenantId, const Budget*> budgets_;
    std::string out_;
};

}  // namespace

std::string print_organisations(const OrganisationsFile& file) {
    return Printer(file).text();
}

std::string organisations_reference() {
    return R"(# Organisations file

Who there is, who has a right to how much, who lent what to whom, and who may spend how much. Checked by
`weir schema check FILE`. YAML or JSON, at most 16 MiB; quantities carry units, and all amounts of money have one currency.
The rules, with worked numbers: [organisations](../concepts/organisations.md). This page is generated: `weir schema tenants --markdown`.

```yaml
tenants:
  - name: bigco
    quota: {ascend-910b3: 4096, h20: 512}
    lend: {ascend-910b3: 2048}
    tenants: [{name: search, weight: 2}, {name: ads}]
  - name: sme-park
    tenants: [{name: startup, budget: {amount: 200000 CNY, period: month}}, {name: vision-lab}]
loans:
  - from: bigco
    to: sme-park/startup
    chips: {ascend-910b3: 256}
    starts: 2026-12-01
    ends: 2027-03-01
    notice: 2h
    price: 5 CNY/chip-hour
    early_recall: 20000 CNY
vouchers:
  - {tenant: sme-park/startup, amount: 50000 CNY, valid: 2026-12-01..2027-06-01, chips: domestic, share: 30%}
```

)" + schema::markdown(organisations_schema());
}

}  // namespace weir::tenancy
