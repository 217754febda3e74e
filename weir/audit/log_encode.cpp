// Writing is by hand: a log of a long run has millions of lines.
#include <fmt/format.h>

#include <iterator>

#include "weir/audit/log_format.hpp"

namespace weir::audit {
namespace {

class Writer {
public:
    explicit Writer(std::string& out) : out_(out) {}

    void key(std::string_view name) {
        comma();
        out_ += '"';
        out_ += name;
        out_ += "\":";
        fresh_ = true;
    }
    void number(std::uint64_t value) {
        comma();
        const fmt::format_int digits(value);
        out_.append(digits.data(), digits.size());
    }
    void whole(std::int64_t value) {
        comma();
        const fmt::format_int digits(value);
        out_.append(digits.data(), digits.size());
    }
    void real(double value) {
        comma();
        fmt::format_to(std::back_inserter(out_), "{}", value);
    }
    void text(std::string_view value);
    void yes() {
        comma();
        out_ += "true";
    }
    void open(char bracket) {
        comma();
        out_ += bracket;
        fresh_ = true;
    }
    void close(char bracket) {
        out_ += bracket;
        fresh_ = false;
    }

    // What is as it is when nothing is said is not written.
    void count(std::string_view name, std::uint64_t value) {
        if (value == 0) return;
        key(name);
        number(value);
    }
    void watts(std::string_view name, double value) {
        if (value == 0) return;
        key(name);
        real(value);
    }
    void span(std::string_view name, Duration value) {
        if (value != Duration{}) must(name, value);
    }
    void moment(std::string_view name, Time value) {
        if (value < never) must(name, value.time_since_epoch());
    }
    void must(std::string_view name, Duration value) {
        key(name);
        whole(value.count());
    }
    void job(JobId id) {
        key("job");
        number(id.value);
    }
    void placement(const fleet::Placement& placement);
    void runs(std::string_view name, const std::vector<NodeRun>& runs);
    void allowances(std::string_view name, const Allowances& list);
    void spent(const Spent& spent);
    void split(const Split& split);
    void rows(std::string_view name, const std::vector<Waterfall::Row>& rows);

private:
    void comma() {
        if (!fresh_) out_ += ',';
        fresh_ = false;
    }
    std::string& out_;
    bool fresh_ = true;  // nothing stands before in this list
};

void Writer::text(std::string_view value) {
    comma();
    out_ += '"';
    for (const char c : value) {
        if (c == '"' || c == '\\') {
            out_ += '\\';
            out_ += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            fmt::format_to(std::back_inserter(out_), "\\u{:04x}", static_cast<unsigned>(c));
        } else {
            out_ += c;
        }
    }
    out_ += '"';
}

// [pool, first, count, replicas, part, chips] each, chips as hexadecimal bits: a number of 64 bits
// does not survive every reader of JSON.
void Writer::placement(const fleet::Placement& placement) {
    key("on");
    open('[');
    for (const fleet::NodeRange& range : placement.ranges) {
        open('[');
        number(range.pool.value);
        number(range.first);
        number(range.count);
        number(range.replicas);
        number(range.part);
        comma();
        fmt::format_to(std::back_inserter(out_), "\"{:x}\"", range.chip_mask);
        close(']');
    }
    close(']');
}

void Writer::runs(std::string_view name, const std::vector<NodeRun>& runs) {
    key(name);
    open('[');
    for (const NodeRun& run : runs) {
        open('[');
        number(run.pool.value);
        number(run.first);
        number(run.count);
        close(']');
    }
    close(']');
}

// [resource, amount] each.
void Writer::allowances(std::string_view name, const Allowances& list) {
    if (list.empty()) return;
    key(name);
    open('[');
    for (const Allowance& each : list) {
        open('[');
        number(each.resource);
        whole(each.amount);
        close(']');
    }
    close(']');
}

void Writer::spent(const Spent& spent) {
    span("staging_ms", spent.staging);
    span("start_up_ms", spent.start_up);
    span("restart_ms", spent.restart);
    span("checkpoint_ms", spent.checkpoint);
    span("kept_ms", spent.kept);
}

// Amounts are texts: they are wider than what readers of JSON make of a number.
void Writer::split(const Split& split) {
    for (std::size_t i = 0; i < ways; ++i) {
        if (split.of[i] == 0) continue;
        key(name_of(static_cast<Went>(i)));
        text(text_of(split.of[i]));
    }
}

void Writer::rows(std::string_view name, const std::vector<Waterfall::Row>& rows) {
    key(name);
    open('[');
    for (const Waterfall::Row& row : rows) {
        open('{');
        key("name");
        text(row.name);
        split(row.split);
        close('}');
    }
    close(']');
}

void write(Writer& to, const Organisation& house) {
    to.open('{');
    to.key("path");
    to.text(house.path);
    if (house.weight_milli != 1000) to.count("weight_milli", house.weight_milli);
    to.allowances("quota", house.quota);
    to.allowances("lend", house.lend);
    to.allowances("borrow", house.borrow);
    to.close('}');
}

void write(Writer& to, const Header& header) {
    to.key("is");
    to.text("run");
    to.key("format");
    to.number(1);
    to.key("policy");
    to.text(header.policy);
    to.must("min_run_ms", header.min_run);
    to.key("preemptions_per_hour_max");
    to.number(header.preemptions_per_hour_max);
    if (header.counted_in != Unit::none) {
        to.key("counted_in");
        to.text(name_of(header.counted_in));
    }
    if (!header.organisations.empty()) {
        to.key("resources");
        to.open('[');
        for (const std::string& resource : header.resources)
            to.text(resource);
        to.close(']');
        to.key("organisations");
        to.open('[');
        for (const Organisation& house : header.organisations)
            write(to, house);
        to.close(']');
    }
    to.key("sites");
    to.open('[');
    for (const fleet::Site& site : header.fleet.sites) {
        to.open('{');
        to.key("name");
        to.text(site.name);
        to.watts("power_watts", site.power_watts);
        to.count("capacity_bytes", static_cast<std::uint64_t>(site.storage.capacity.count));
        to.watts("bytes_per_s", site.storage.bytes_per_s);
        if (!site.storage.datasets.empty()) {
            to.key("datasets");
            to.open('[');
            for (const auto& [name, size] : site.storage.datasets) {
                to.open('{');
                to.key("name");
                to.text(name);
                to.count("bytes", static_cast<std::uint64_t>(size.count));
                to.close('}');
            }
            to.close(']');
        }
        to.close('}');
    }
    to.close(']');
    if (!header.fleet.links.empty()) {
        to.key("links");
        to.open('[');
        for (const fleet::SiteLink& link : header.fleet.links) {
            to.open('{');
            to.key("between");
            to.open('[');
            for (const std::string& end : link.between)
                to.text(end);
            to.close(']');
            to.key("bytes_per_s");
            to.real(link.bytes_per_s);
            to.span("latency_ms", link.latency);
            to.close('}');
        }
        to.close(']');
    }
    to.key("pools");
    to.open('[');
    for (std::size_t i = 0; i < header.fleet.pools.size(); ++i) {
        const fleet::Pool& pool = header.fleet.pools[i];
        to.open('{');
        to.key("name");
        to.text(pool.name);
        to.key("site");
        to.text(pool.site);
        if (!pool.chip.empty()) {
            to.key("chip");
            to.text(pool.chip);
        }
        to.key("nodes");
        to.number(pool.nodes);
        to.count("chips_per_node", pool.chips_per_node);
        to.count("cpus_milli", pool.cpus_milli);
        to.count("memory_bytes", static_cast<std::uint64_t>(pool.memory.count));
        to.count("nodes_per_rack", pool.nodes_per_rack);
        to.count("racks_per_pod", pool.racks_per_pod);
        to.watts("rack_power_watts", pool.rack_power_watts);
        to.watts("pod_power_watts", pool.pod_power_watts);
        to.watts("node_idle_watts", pool.node_idle_watts);
        to.watts("node_busy_watts", pool.node_busy_watts);
        if (i < header.measures.size()) {
            to.allowances("per_chip", header.measures[i].per_chip);
            to.allowances("per_cpu", header.measures[i].per_cpu);
        }
        to.close('}');
    }
    to.close(']');
}

void write_demand(Writer& to, const fleet::Demand& demand) {
    to.key("parts");
    to.open('[');
    for (const fleet::GangPart& part : demand.parts) {
        to.open('{');
        to.key("replicas");
        to.number(part.replicas);
        to.count("chips", part.each.chips);
        to.count("chip_permille", part.each.chip_permille);
        to.count("cpus_milli", part.each.cpus_milli);
        to.count("memory_bytes", static_cast<std::uint64_t>(part.each.memory.count));
        to.close('}');
    }
    to.close(']');
    if (demand.within != fleet::Level::site) {
        to.key("within");
        to.text(fleet::name_of(demand.within));
    }
    to.key("pools");
    to.open('[');
    for (const PoolId pool : demand.pools)
        to.number(pool.value);
    to.close(']');
}

void write(Writer& to, const Submitted& job) {
    to.key("is");
    to.text("submit");
    to.job(job.job);
    if (job.priority != Class::normal) {
        to.key("priority");
        to.text(name_of(job.priority));
    }
    write_demand(to, job.demand);
    if (!job.barred.empty()) {
        to.key("barred");
        to.open('[');
        for (const PoolId pool : job.barred)
            to.number(pool.value);
        to.close(']');
    }
    to.count("tag", job.demand.tag);
    if (job.limit < forever) to.must("limit_ms", job.limit);
    if (!job.sizes.empty()) {
        to.key("sizes");
        to.open('[');
        for (const Size& size : job.sizes) {
            to.open('{');
            write_demand(to, size.demand);
            if (size.limit < forever) to.must("limit_ms", size.limit);
            to.close('}');
        }
        to.close(']');
    }
    to.moment("deadline", job.deadline);
    if (!job.after.empty()) {
        to.key("after");
        to.open('[');
        for (const After& after : job.after) {
            to.open('{');
            to.job(after.job);
            to.key("needs");
            to.text(name_of(after.waits));
            to.close('}');
        }
        to.close(']');
    }
    if (job.array_at_once_max > 0) {
        to.key("array");
        to.number(job.array.value);
        to.count("at_once", job.array_at_once_max);
    }
    if (job.checkpoint_every > Duration{}) {
        to.must("checkpoint_every_ms", job.checkpoint_every);
        to.span("checkpoint_cost_ms", job.checkpoint_cost);
    }
    if (job.replace_failed) {
        to.key("replace_failed");
        to.yes();
    }
    if (!job.tenant.empty()) {
        to.key("tenant");
        to.text(job.tenant);
    }
    if (!job.organisation.empty()) {
        to.key("organisation");
        to.text(job.organisation);
    }
    if (!job.data.empty()) {
        to.key("data");
        to.open('[');
        for (const std::string& name : job.data)
            to.text(name);
        to.close(']');
    }
}

void write(Writer& to, const Started& start) {
    to.key("is");
    to.text("start");
    to.job(start.job);
    to.key("cause");
    to.text(start.cause);
    to.placement(start.on);
    to.count("size", start.size);
}

void write(Writer& to, const Ended& end) {
    to.key("is");
    to.text("end");
    to.job(end.job);
    to.key("outcome");
    to.text(name_of(end.outcome));
    if (end.requeue) {
        to.key("requeue");
        to.yes();
    }
    to.spent(end.spent);
    if (end.measured) {
        to.key("plan_ppm");
        to.number(end.plan_ppm);
        to.key("kernel_ppm");
        to.number(end.kernel_ppm);
    }
}

void write(Writer& to, const Cancelled& cancelled) {
    to.key("is");
    to.text("cancel");
    to.job(cancelled.job);
}

void write(Writer& to, const Promised& promise) {
    to.key("is");
    to.text("promise");
    to.job(promise.job);
    to.moment("by", promise.by);
    if (!promise.nodes.empty()) to.runs("nodes", promise.nodes);
    to.count("size", promise.size);
}

void write(Writer& to, const Dropped& drop) {
    to.key("is");
    to.text("drop");
    to.job(drop.job);
    to.key("cause");
    to.text(drop.cause);
}

void write(Writer& to, const Preempted& preempted) {
    to.key("is");
    to.text("preempt");
    to.job(preempted.job);
    if (preempted.for_job.valid()) {
        to.key("for");
        to.number(preempted.for_job.value);
    }
    if (!preempted.cause.empty()) {
        to.key("cause");
        to.text(preempted.cause);
    }
}

void write(Writer& to, const NodeLost& lost) {
    to.key("is");
    to.text("lost");
    to.job(lost.job);
    to.key("pool");
    to.number(lost.pool.value);
    to.key("node");
    to.number(lost.node);
}

void write(Writer& to, const Replaced& replaced) {
    to.key("is");
    to.text("replace");
    to.job(replaced.job);
    to.placement(replaced.on);
    to.spent(replaced.spent);
}

void write(Writer& to, const NodeHealth& node) {
    to.key("is");
    to.text("node");
    to.key("pool");
    to.number(node.pool.value);
    to.key("node");
    to.number(node.node);
    to.key("health");
    to.text(name_of(node.health));
}

void write(Writer& to, const CapSet& cap) {
    to.key("is");
    to.text("cap");
    to.key("level");
    to.text(fleet::name_of(cap.domain.level));
    to.key("pool");
    to.number(cap.domain.pool.value);
    to.key("number");
    to.number(cap.domain.number);
    to.key("watts");
    to.real(cap.watts);
}

void write(Writer& to, const SetApart& apart) {
    to.key("is");
    to.text("reservation");
    to.key("id");
    to.number(apart.id.value);
    to.must("from", apart.from.time_since_epoch());
    to.moment("until", apart.until);
    if (apart.maintenance) {
        to.key("maintenance");
        to.yes();
    }
    to.runs("nodes", apart.nodes);
}

void write(Writer& to, const Copied& copied) {
    to.key("is");
    to.text("copy");
    to.key("dataset");
    to.text(copied.dataset);
    to.key("from");
    to.number(copied.from);
    to.key("to");
    to.number(copied.to);
    to.must("until", copied.until.time_since_epoch());
    if (copied.over.empty()) return;
    to.must("begins", copied.begins.time_since_epoch());
    to.key("over");
    to.open('[');
    for (const std::uint32_t link : copied.over)
        to.number(link);
    to.close(']');
}

void write_at_site(Writer& to,
                   std::string_view is,
                   const std::string& dataset,
                   std::uint32_t site) {
    to.key("is");
    to.text(is);
    to.key("dataset");
    to.text(dataset);
    to.key("site");
    to.number(site);
}

void write(Writer& to, const Arrived& arrived) {
    write_at_site(to, "arrived", arrived.dataset, arrived.site);
}

void write(Writer& to, const Forgotten& forgotten) {
    write_at_site(to, "forget", forgotten.dataset, forgotten.site);
}

void write(Writer& to, const GivenBack& back) {
    to.key("is");
    to.text("reservation_end");
    to.key("id");
    to.number(back.id.value);
}

void write_of_loan(Writer& to, std::string_view is, std::uint32_t loan) {
    to.key("is");
    to.text(is);
    to.key("loan");
    to.number(loan);
}

void write(Writer& to, const Lent& lent) {
    write_of_loan(to, "loan", lent.loan);
    to.key("lender");
    to.text(lent.lender);
    to.key("borrower");
    to.text(lent.borrower);
    to.allowances("amounts", lent.amounts);
    to.must("begins", lent.begins.time_since_epoch());
    to.moment("until", lent.until);
    to.span("notice_ms", lent.notice);
}

void write(Writer& to, const CalledBack& recall) {
    write_of_loan(to, "recall", recall.loan);
    to.must("until", recall.until.time_since_epoch());
}

void write(Writer& to, const LoanEnded& ended) {
    write_of_loan(to, "loan_end", ended.loan);
    to.key("how");
    to.text(name_of(ended.how));
}

void write(Writer& to, const Account& account) {
    to.key("is");
    to.text("account");
    to.job(account.job);
    to.split(account.split);
}

void write(Writer& to, const Waterfall& waterfall) {
    to.key("is");
    to.text("waterfall");
    to.must("from", waterfall.from.time_since_epoch());
    to.rows("sites", waterfall.sites);
    to.rows("pools", waterfall.pools);
    to.rows("tenants", waterfall.tenants);
    to.key("total");
    to.open('{');
    to.split(waterfall.total);
    to.close('}');
}

}  // namespace

std::string_view name_of(Class value) {
    constexpr std::string_view names[] = {"low", "normal", "high", "urgent"};
    return names[static_cast<std::size_t>(value)];
}
std::string_view name_of(Came value) {
    constexpr std::string_view names[] = {"succeeded", "failed", "cancelled", "lost"};
    return names[static_cast<std::size_t>(value)];
}
std::string_view name_of(Waits value) {
    constexpr std::string_view names[] = {"success", "end", "failure"};
    return names[static_cast<std::size_t>(value)];
}
std::string_view name_of(Health value) {
    constexpr std::string_view names[] = {"up", "drained", "down"};
    return names[static_cast<std::size_t>(value)];
}
std::string_view name_of(LoanEnd value) {
    constexpr std::string_view names[] = {"refused", "returned", "defaulted"};
    return names[static_cast<std::size_t>(value)];
}

std::string_view name_of(Unit value) {
    constexpr std::string_view names[] = {"none", "chips", "cpus"};
    return names[static_cast<std::size_t>(value)];
}
std::string_view name_of(Went value) {
    constexpr std::string_view names[] = {
        "unpowered",     "failed",     "drained",  "not_demanded", "over_quota", "wrong_precision",
        "awaiting_data", "set_apart",  "promised", "shared_rest",  "fragmented", "staging",
        "start_up",      "checkpoint", "restart",  "lost_work",    "open",       "plan",
        "kernel",        "running",    "useful"};
    return names[static_cast<std::size_t>(value)];
}

std::string text_of(Amount amount) {
    char digits[40];
    char* at = digits + sizeof digits;
    do {
        *--at = static_cast<char>('0' + static_cast<int>(amount % 10));
        amount /= 10;
    } while (amount > 0);
    return {at, digits + sizeof digits};
}

Amount Split::total() const {
    Amount sum = 0;
    for (const Amount amount : of)
        sum += amount;
    return sum;
}

Amount Split::held() const {
    Amount sum = 0;
    for (auto i = static_cast<std::size_t>(Went::staging); i < ways; ++i)
        sum += of[i];
    return sum;
}

void encode(const Record& record, std::string& out) {
    out += '{';
    Writer to(out);
    to.must("at", record.at.time_since_epoch());
    std::visit([&](const auto& what) { write(to, what); }, record.what);
    out += "}\n";
}

}  // namespace weir::audit
