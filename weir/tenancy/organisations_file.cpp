#include "weir/tenancy/organisations_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "weir/base/text_file.hpp"

namespace weir::tenancy {
namespace {

using schema::Problems;
using schema::View;

constexpr Duration notice_max = seconds(std::int64_t{10} * 366 * 86'400);
constexpr std::uint32_t tenants_max = 100'000;

// A date that every calendar and every printed form agrees on.
bool is_ordinary(Time time) {
    const auto ms = time.time_since_epoch();
    return ms >= Duration{0} && ms < seconds(std::int64_t{230} * 365 * 86'400);
}

// "2026-12-01..2027-06-01"
std::optional<Span> span_of(std::string_view word) {
    const std::size_t dots = word.find("..");
    if (dots == std::string_view::npos) return std::nullopt;
    const auto begins = parse_time(word.substr(0, dots));
    const auto ends = parse_time(word.substr(dots + 2));
    if (!begins || !ends || !is_ordinary(*begins) || !is_ordinary(*ends)) return std::nullopt;
    return Span{*begins, *ends};
}

std::optional<std::string> test_span(std::string_view word) {
    if (span_of(word)) return std::nullopt;
    return "is not a time of validity: write the first day and the first day after it, such as "
           "2026-12-01..2027-06-01, from 1970 to 2199";
}

// "30%", "12.5 %", in millionths.
std::optional<std::uint32_t> share_of(std::string_view word) {
    if (word.empty() || word.back() != '%') return std::nullopt;
    word.remove_suffix(1);
    while (!word.empty() && word.back() == ' ')
        word.remove_suffix(1);
    // A share of a whole is 100 chips of a resource, as far as digits go.
    const auto milli = parse_amount({Resource::Kind::chips, ""}, word);
    if (!milli || *milli == 0 || *milli > 100'000) return std::nullopt;
    return static_cast<std::uint32_t>(*milli * 10);
}

std::optional<std::string> test_share(std::string_view word) {
    if (share_of(word)) return std::nullopt;
    return "is not a share: write a percentage above 0% and up to 100%, such as 30%";
}

std::optional<std::string> test_price(std::string_view word) {
    if (parse_price(word)) return std::nullopt;
    return "is not a price: write an amount, a currency and a unit, such as 5 CNY/chip-hour";
}

// The amount is checked against its key by the Reader.
std::optional<std::string> test_nothing(std::string_view) {
    return std::nullopt;
}

schema::Value amounts() {
    return schema::map_of(schema::word("amount", test_nothing, "^[0-9.]+( ?[MGTPEZ](FL)?OP/s)?$"),
                          schema::test_name);
}

const schema::Object& budget_schema() {
    static const schema::Object table{
        "budget",
        "What an organisation, with everybody below it, may spend in a period of the calendar (in "
        "UTC; weeks begin on Monday). What a voucher pays is not spent.",
        {
            {"amount",
             schema::quantity(schema::Type::money),
             "In each period",
             "200000 CNY",
             "",
             true},
            {"period",
             schema::choice({"day", "week", "month", "quarter", "year"}),
             "How long until it is full again",
             "month",
             "",
             true},
        }};
    return table;
}

const schema::Object& tenant_schema() {
    static const schema::Object table{
        "tenant",
        "An organisation, or a part of one. Its path is made of the names from the top, such as "
        "bigco/search: that is what the key `tenant` of a job names.",
        {
            {"name",
             schema::word("name", schema::test_name, ""),
             "Unique among its siblings",
             "bigco",
             "",
             true},
            {"quota",
             amounts(),
             "What it has a right to: chips by catalogue name, `cpus`, or the capability of a "
             "number format (fp64 fp32 tf32 bf16 fp16 fp8 fp8e4m3 fp8e5m2 fp4 in FLOP/s, int8 int4 "
             "in OP/s)",
             "{ascend-910b3: 4096, h20: 512, bf16: 3.2 EFLOP/s}",
             "nothing"},
            {"lend",
             amounts(),
             "At most this much of what is idle leaves the house",
             "{ascend-910b3: 2048}",
             "all that is idle"},
            {"borrow", amounts(), "At most this much above quota", "{ascend-910b3: 0}", "no limit"},
            {"weight",
             schema::number(0.001, 1'000'000),
             "Its share among its siblings of what is over",
             "2",
             "1"},
            {"budget",
             schema::object(budget_schema()),
             "What it may spend",
             "{amount: 200000 CNY, period: month}",
             "no limit"},
            {"tenants",
             schema::list_of(schema::object(table)),
             "Its parts",
             "[{name: search, weight: 2}, {name: ads}]"},
        },
        {{"children", "write tenants"},
         {"nominal", "write quota"},
         {"limit", "write borrow"},
         {"lending_limit", "write lend"},
         {"borrowing_limit", "write borrow"},
         {"quotas", "write quota"}}};
    return table;
}

const schema::Object& loan_schema() {
    static const schema::Object table{
        "loan",
        "Quota that one organisation leaves to another for a time, agreed by both.",
        {
            {"from",
             schema::text(),
             "Path of the lender; it lends of its own quota",
             "bigco",
             "",
             true},
            {"to", schema::text(), "Path of the borrower", "sme-park/startup", "", true},
            {"chips",
             amounts(),
             "How much, as in quota (but no cpus)",
             "{ascend-910b3: 256}",
             "",
             true},
            {"starts",
             schema::quantity(schema::Type::time),
             "When it begins",
             "2026-12-01",
             "",
             true},
            {"ends",
             schema::quantity(schema::Type::time),
             "When it is over",
             "2027-03-01",
             "",
             true},
            {"notice",
             schema::quantity(schema::Type::duration),
             "How long before a recall takes effect",
             "2h",
             "at once"},
            {"price",
             schema::word("price", test_price, "^[0-9].*/chip-hour$"),
             "What the borrower pays the lender for what it uses",
             "5 CNY/chip-hour",
             "for nothing"},
            {"early_recall",
             schema::quantity(schema::Type::money),
             "What the lender pays for recalling",
             "20000 CNY",
             "nothing"},
            {"penalty",
             schema::quantity(schema::Type::money),
             "What a party pays that breaks the loan: a lender that does not wait for the notice, "
             "a borrower that does not pay",
             "50000 CNY",
             "nothing"},
        }};
    return table;
}

const schema::Object& voucher_schema() {
    static const schema::Object table{
        "voucher",
        "Money that only buys some compute (算力券). It serves its holder and everybody below it.",
        {
            {"tenant", schema::text(), "Path of its holder", "sme-park/startup", "", true},
            {"amount", schema::quantity(schema::Type::money), "In all", "50000 CNY", "", true},
            {"valid",
             schema::word("days", test_span, "^[0-9].*[.][.][0-9].*$"),
             "From when until when",
             "2026-12-01..2027-06-01",
             "",
             true},
            {"chips",
             schema::list_or_one(schema::word("name", schema::test_name, "")),
             "On which chips: `domestic`, one by its catalogue name, or a list of them",
             "domestic",
             "every chip"},
            {"share",
             schema::word("percentage", test_share, "^[0-9.]+ ?%$"),
             "Of each bill, at most",
             "30%",
             "100%"},
        }};
    return table;
}

// Turns a checked tree into an OrganisationsFile and collects what no table can say.
class Reader {
public:
    Reader(Problems& problems, bool is_printed) : problems_(problems), is_printed_(is_printed) {}

    OrganisationsFile read(const View& view) {
        file_.organisations.tenants.push_back(Tenant{});
        tenants(view, TenantId{0}, "tenants");
        const std::vector<View> loans = view.objects("loans");
        for (std::size_t i = 0; i < loans.size(); ++i)
            loan(loans[i], fmt::format("loans[{}]", i));
        const std::vector<View> vouchers = view.objects("vouchers");
        for (std::size_t i = 0; i < vouchers.size(); ++i)
            voucher(vouchers[i], fmt::format("vouchers[{}]", i));
        if (file_.organisations.tenants.size() == 1) {
            problems_.add(view.place("tenants"),
                          "tenants",
                          "is empty; write at least one organisation, such as {name: bigco}");
        }
        for (auto& [whose, parts] : lent_)
            check_lent(whose.first, whose.second, parts);
        // What was left out is nothing, in the currency that stood further below.
        for (LoanContract& loan : file_.loans) {
            loan.price.of_chip_hour.currency = file_.currency;
            loan.early_recall.currency = file_.currency;
            loan.penalty.currency = file_.currency;
        }
        return std::move(file_);
    }

private:
    void tenants(const View& view, TenantId parent, const std::string& path) {
        std::map<std::string, std::uint32_t> lines;  // of the names of these siblings
        const std::vector<View> list = view.objects("tenants");
        for (std::size_t i = 0; i < list.size(); ++i) {
            const std::string here = fmt::format("{}[{}]", path, i);
            const yaml::Place place = list[i].place("name");
            const std::string name = *list[i].text("name");
            if (const auto [at, added] = lines.emplace(name, place.line); !added) {
                problems_.add(place,
                              here + ".name",
                              fmt::format("'{}' is already the name of the organisation in line {}",
                                          name,
                                          at->second));
            }
            tenant(list[i], name, parent, here);
        }
    }

    void tenant(const View& view,
                const std::string& name,
                TenantId parent,
                const std::string& path) {
        auto& all = file_.organisations.tenants;
        const TenantId id{static_cast<std::uint32_t>(all.size())};
        if (id.value == tenants_max) {
            problems_.add(view.place("name"),
                          path,
                          fmt::format("is one more than the {} organisations that a file may have",
                                      tenants_max));
        }
        if (id.value >= tenants_max) return;
        Tenant tenant;
        const std::string& above = all[parent.value].path;
        tenant.path = above.empty() ? name : above + "/" + name;
        paths_.emplace(tenant.path, id);
        tenant.parent = parent;
        tenant.weight_milli =
            static_cast<std::uint32_t>(std::llround(view.number("weight").value_or(1) * 1000));
        tenant.quota = allowances(view, "quota", path);
        for (std::size_t i = 0; i < tenant.quota.size(); ++i)
            add_to_total(tenant.quota[i], view.node("quota")->keys[i].place, path);
        // The centre is a parent to whoever has no other, so every limit has one to lend to.
        tenant.lend = allowances(view, "lend", path);
        tenant.borrow = allowances(view, "borrow", path);
        all.push_back(std::move(tenant));
        if (const auto budget = view.object("budget")) {
            const Money amount = money(*budget, "amount", path + ".budget");
            above_nothing(*budget, "amount", path + ".budget", amount);
            file_.budgets.push_back({id, amount, *period_from_name(*budget->text("period"))});
        }
        tenants(view, id, path + ".tenants");
    }

    std::vector<Allowance> allowances(const View& view,
                                      std::string_view key,
                                      const std::string& path) {
        std::vector<Allowance> list;
        const yaml::Node* map = view.node(key);
        if (map == nullptr) return list;
        for (std::size_t i = 0; i < map->keys.size(); ++i) {
            const Resource resource = resource_of(map->keys[i].text);
            const auto amount = parse_amount(resource, map->items[i].text);
            if (!amount) {
                problems_.add(map->items[i].place,
                              fmt::format("{}.{}.{}", path, key, map->keys[i].text),
                              amount.error().message);
            }
            list.push_back({position_of(resource), amount.value_or(0)});
        }
        return list;
    }

    std::uint32_t position_of(const Resource& resource) {
        auto& all = file_.organisations.resources;
        const auto [at, added] = resources_.emplace(std::pair{resource.kind, resource.name},
                                                    static_cast<std::uint32_t>(all.size()));
        if (added) all.push_back(resource);
        return at->second;
    }

    void add_to_total(const Allowance& quota, yaml::Place place, const std::string& path) {
        std::int64_t& total = totals_[quota.resource];
        if (quota.amount > amount_total_max - total) {
            problems_.add(place,
                          path + ".quota",
                          fmt::format("with this, the quotas of all organisations are more than {}",
                                      named_text_of(file_.organisations.resources[quota.resource],
                                                    amount_total_max)));
            return;
        }
        total += quota.amount;
    }

    // An amount, in the currency of the file.
    Money money(const View& view, std::string_view key, const std::string& path) {
        const auto text = view.text(key);
        if (!text) return {0, file_.currency};
        const auto amount = parse_money(*text);
        if (!amount) {
            problems_.add(view.place(key), fmt::format("{}.{}", path, key), amount.error().message);
            return {0, file_.currency};
        }
        same_currency(amount->currency, view.place(key), fmt::format("{}.{}", path, key));
        return *amount;
    }

    void same_currency(Currency currency, yaml::Place place, const std::string& path) {
        if (!currency_line_) {
            currency_line_ = place.line;
            file_.currency = currency;
        } else if (currency != file_.currency) {
            problems_.add(place,
                          path,
                          fmt::format("is in {}, but the amount in line {} is in {}; a file has "
                                      "one currency, because weir knows no rate of exchange",
                                      currency.text(),
                                      *currency_line_,
                                      file_.currency.text()));
        }
    }

    void above_nothing(const View& view,
                       std::string_view key,
                       const std::string& path,
                       Money amount) {
        if (amount.micros > 0) return;
        problems_.add(view.place(key),
                      fmt::format("{}.{}", path, key),
                      "must be above 0; leave it out where nothing is meant");
    }

    TenantId find(const View& view, std::string_view key, const std::string& path) {
        const std::string wanted = *view.text(key);
        const auto at = paths_.find(wanted);
        if (at != paths_.end()) return at->second;
        // Among thousands of paths the nearest is no help, and takes long to find.
        constexpr std::size_t few = 1000;
        std::vector<std::string_view> known;
        for (const auto& [path_of, id] : paths_) {
            if (paths_.size() <= few) known.push_back(path_of);
        }
        const auto near = schema::nearest(wanted, known);
        problems_.add(view.place(key),
                      fmt::format("{}.{}", path, key),
                      fmt::format("no organisation has the path '{}'{}",
                                  wanted.substr(0, 60),
                                  near ? fmt::format("; did you mean '{}'?", *near) : ""));
        return TenantId::none();
    }

    std::optional<Time> date(const View& view, std::string_view key, const std::string& path) {
        const auto time = parse_time(*view.text(key));
        if (time && is_ordinary(*time)) return *time;
        problems_.add(view.place(key),
                      fmt::format("{}.{}", path, key),
                      fmt::format("'{}' is no date from 1970 to 2199", *view.text(key)));
        return std::nullopt;
    }

    void loan(const View& view, const std::string& path) {
        LoanContract loan;
        loan.lender = find(view, "from", path);
        loan.borrower = find(view, "to", path);
        const std::string chips = path + ".chips";
        loan.amounts = allowances(view, "chips", path);
        if (loan.amounts.empty()) {
            problems_.add(view.place("chips"), chips, "is empty; write what is lent");
        }
        const auto starts = date(view, "starts", path);
        const auto ends = date(view, "ends", path);
        if (starts && ends && *starts >= *ends) {
            problems_.add(view.place("ends"), path + ".ends", "must be later than starts");
        }
        loan.window = {starts.value_or(Time{}), ends.value_or(Time{})};
        loan.notice = view.duration("notice").value_or(Duration{});
        if (loan.notice > notice_max) {
            problems_.add(
                view.place("notice"), path + ".notice", "is longer than ten years; write less");
        }
        // Journals may have older loans.
        if (!is_printed_ && starts && ends && *starts < *ends && loan.notice > *ends - *starts) {
            problems_.add(view.place("notice"),
                          path + ".notice",
                          fmt::format("{} is longer than the loan lasts; valid are up to {}",
                                      format_duration(loan.notice),
                                      format_duration(*ends - *starts)));
        }
        loan.price.of_chip_hour.currency = file_.currency;
        if (const auto price = view.text("price")) {
            loan.price = *parse_price(*price);
            same_currency(loan.price.of_chip_hour.currency, view.place("price"), path + ".price");
        }
        loan.early_recall = money(view, "early_recall", path);
        loan.penalty = money(view, "penalty", path);
        check_parties(view, path, loan);
        check_amounts(view, chips, loan);
        file_.loans.push_back(std::move(loan));
    }

    void check_parties(const View& view, const std::string& path, const LoanContract& loan) {
        if (!loan.lender.valid() || !loan.borrower.valid()) return;
        const std::string& from = file_.organisations.tenant(loan.lender).path;
        const std::string& to = file_.organisations.tenant(loan.borrower).path;
        const auto is_part = [](const std::string& part, const std::string& whole) {
            return part == whole || part.substr(0, whole.size() + 1) == whole + "/";
        };
        if (is_part(from, to) || is_part(to, from)) {
            problems_.add(
                view.place("to"),
                path + ".to",
                fmt::format(
                    "'{}' and '{}' are one house; share there by quota and lend", from, to));
        }
    }

    void check_amounts(const View& view, const std::string& path, const LoanContract& loan) {
        const yaml::Node& map = *view.node("chips");
        for (std::size_t i = 0; i < loan.amounts.size(); ++i) {
            const Allowance& lent = loan.amounts[i];
            const Resource& resource = file_.organisations.resources[lent.resource];
            if (resource.kind == Resource::Kind::cpus) {
                problems_.add(map.keys[i].place, path, "CPUs are not lent; write chips");
            } else if (lent.amount == 0) {
                problems_.add(map.items[i].place, path, "must be above 0");
            } else if (loan.lender.valid()) {
                lent_[{loan.lender, lent.resource}].push_back(
                    {loan.window, lent.amount, map.items[i].place, path});
            }
        }
    }

    // What one organisation lends of one resource.
    struct Lent {
        Span window;
        std::int64_t amount = 0;
        yaml::Place place;
        std::string path;
    };

    // It lends of its own quota, and never more at the same time: loans in the order in which they
    // begin, after those have ended that end until then.
    void check_lent(TenantId lender, std::uint32_t resource, std::vector<Lent>& parts) {
        const Tenant& tenant = file_.organisations.tenant(lender);
        const Resource& what = file_.organisations.resources[resource];
        std::int64_t owned = 0;
        for (const Allowance& quota : tenant.quota) {
            if (quota.resource == resource) owned = quota.amount;
        }
        std::stable_sort(parts.begin(), parts.end(), [](const Lent& a, const Lent& b) {
            return a.window.begins < b.window.begins;
        });
        std::multimap<Time, std::int64_t> ends;
        std::int64_t lent = 0;
        for (const Lent& part : parts) {
            while (!ends.empty() && ends.begin()->first <= part.window.begins) {
                lent -= ends.begin()->second;
                ends.erase(ends.begin());
            }
            if (part.amount > owned - lent) {
                std::string sentence = fmt::format("{} cannot lend {}: its own quota is {}",
                                                   tenant.path,
                                                   named_text_of(what, part.amount),
                                                   text_of(what, owned));
                if (lent > 0) {
                    sentence += fmt::format(", and {} of it are lent at that time by other loans",
                                            text_of(what, lent));
                }
                problems_.add(part.place, part.path, sentence);
                continue;
            }
            lent += part.amount;
            ends.emplace(part.window.ends, part.amount);
        }
    }

    void voucher(const View& view, const std::string& path) {
        Voucher voucher;
        voucher.tenant = find(view, "tenant", path);
        voucher.amount = money(view, "amount", path);
        above_nothing(view, "amount", path, voucher.amount);
        voucher.valid = *span_of(*view.text("valid"));
        if (voucher.valid.begins >= voucher.valid.ends) {
            problems_.add(view.place("valid"), path + ".valid", "must end later than it begins");
        }
        voucher.chips.names = view.texts("chips");
        const auto domestic =
            std::find(voucher.chips.names.begin(), voucher.chips.names.end(), "domestic");
        if (domestic != voucher.chips.names.end()) {
            if (voucher.chips.names.size() > 1) {
                problems_.add(view.place("chips"),
                              path + ".chips",
                              "is domestic and names chips as well; write one or the other");
            }
            voucher.chips = {true, {}};
        } else if (view.node("chips") != nullptr && voucher.chips.names.empty()) {
            problems_.add(view.place("chips"),
                          path + ".chips",
                          "is empty; name chips, or leave it out for every chip");
        }
        if (const auto share = view.text("share")) voucher.share_ppm = *share_of(*share);
        file_.vouchers.push_back(std::move(voucher));
    }

    Problems& problems_;
    const bool is_printed_;
    OrganisationsFile file_;
    std::map<std::pair<Resource::Kind, std::string>, std::uint32_t> resources_;
    std::map<std::uint32_t, std::int64_t> totals_;  // of all quotas, by resource
    std::map<std::string, TenantId> paths_;
    std::map<std::pair<TenantId, std::uint32_t>, std::vector<Lent>> lent_;  // by resource
    std::optional<std::uint32_t> currency_line_;
};

}  // namespace

const schema::Object& organisations_schema() {
    static const schema::Object table{
        "tenants",
        "The organisations of a centre, their rights and their contracts.",
        {
            {"tenants",
             schema::list_of(schema::object(tenant_schema())),
             "The organisations",
             "[{name: bigco, quota: {ascend-910b3: 4096}}]",
             "",
             true},
            {"loans",
             schema::list_of(schema::object(loan_schema())),
             "Who lends to whom",
             "[{from: bigco, to: sme-park, chips: {ascend-910b3: 256}, starts: 2026-12-01, ends: "
             "2027-03-01}]"},
            {"vouchers",
             schema::list_of(schema::object(voucher_schema())),
             "Compute vouchers",
             "[{tenant: sme-park, amount: 50000 CNY, valid: 2026-12-01..2027-06-01}]"},
        },
        {{"organisations", "write tenants"}, {"quotas", "quotas belong to a tenant: write quota"}}};
    return table;
}

namespace {

Result<ParsedOrganisations> read_within(const yaml::Limits& limits,
                                        std::string_view text,
                                        std::string_view source,
                                        bool is_printed = false) {
    WEIR_TRY(const yaml::Node tree, yaml::parse(text, source, limits));
    WEIR_CHECK(schema::check(organisations_schema(), tree, source));
    Problems problems(source);
    ParsedOrganisations parsed;
    parsed.file = Reader(problems, is_printed).read(View(tree));
    WEIR_CHECK(problems.result());
    return parsed;
}

}  // namespace

Result<ParsedOrganisations> read_organisations_text(std::string_view text,
                                                    std::string_view source) {
    return read_within(yaml::fleet_limits, text, source);
}

Result<OrganisationsFile> read_printed_organisations(std::string_view text,
                                                     std::string_view source) {
    // No tree has more values than its text has characters.
    const yaml::Limits limits{text.size(), text.size(), yaml::fleet_limits.depth_max};
    WEIR_TRY(ParsedOrganisations parsed, read_within(limits, text, source, true));
    return std::move(parsed.file);
}

Result<ParsedOrganisations> read_organisations(const std::string& path) {
    WEIR_TRY(const std::string text, read_text_file(path, yaml::fleet_limits.bytes_max));
    return read_organisations_text(text, path == "-" ? "standard input" : path);
}

}  // namespace weir::tenancy
