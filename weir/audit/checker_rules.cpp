// How what happened is judged, rule by rule.
#include <algorithm>
#include <bit>

#include "weir/audit/checker_state.hpp"

namespace weir::audit {
namespace {

struct RuleText {
    std::string_view name;
    std::string_view sentence;
};
constexpr std::array<RuleText, rules> rule_texts = {{
    {"sense", "the log is a possible history"},
    {"capacity", "no node holds more chips, CPUs or memory than it has"},
    {"gang", "a gang starts whole, in pools that it accepts"},
    {"domain", "a gang stays inside the node, rack, pod, pool or site that it asks for"},
    {"once", "a job runs once at a time, and never again after its end"},
    {"dependencies", "no job starts before what it waits for has come out as asked"},
    {"health", "nothing starts on nodes that are drained or down"},
    {"reservations", "nodes set apart serve those they are set apart for, in their time"},
    {"arrays", "no more members of an array run than may"},
    {"limits", "nobody runs longer than its limit"},
    {"promises", "a job starts no later than promised, unless for a listed excuse"},
    {"power", "nothing starts where it makes a rack, pod or site draw more than its cap"},
    {"preemption", "only lower classes are stopped, not too early and not too often"},
    {"replacement", "a gang that goes on after a failure keeps its other nodes"},
    {"deadlines", "a job that was accepted with a deadline ends by it"},
    {"waterfall", "every chip-second is in one class, and the sums close"},
    {"contract", "nothing runs on chips that its precision contract forbids"},
    {"quota", "an organisation uses what it owns, or what others lend, within all limits"},
    {"reclaim", "owners get back what others borrowed, from those who borrowed it"},
    {"data", "datasets lie where they are read, and no storage is overfull"},
    {"loan", "what is lent can be had back, is back after the notice, and is nobody else's before"},
    {"sizes", "who may run in several sizes takes one of them, and keeps it"},
}};

constexpr std::array<std::string_view, excuses> excuse_names = {"none",
                                                                "node lost",
                                                                "cap lowered",
                                                                "reservation made",
                                                                "higher class",
                                                                "its own array",
                                                                "owner came",
                                                                "loan"};

bool overlap(const fleet::NodeRange& range, const NodeRun& run) {
    return range.pool == run.pool && range.first < run.first + run.count &&
           run.first < range.first + range.count;
}

bool inside(const fleet::NodeRange& range, const std::vector<NodeRun>& runs) {
    for (std::uint32_t node = range.first; node < range.first + range.count; ++node) {
        const bool found = std::any_of(runs.begin(), runs.end(), [&](const NodeRun& run) {
            return run.pool == range.pool && node >= run.first && node - run.first < run.count;
        });
        if (!found) return false;
    }
    return true;
}

}  // namespace

std::string_view name_of(Rule rule) {
    return rule_texts[static_cast<std::size_t>(rule)].name;
}
std::string_view sentence_of(Rule rule) {
    return rule_texts[static_cast<std::size_t>(rule)].sentence;
}
std::string_view name_of(Excuse excuse) {
    return excuse_names[static_cast<std::size_t>(excuse)];
}

bool Report::clean() const {
    return std::all_of(
        verdicts.begin(), verdicts.end(), [](const Verdict& one) { return one.violated == 0; });
}

std::string at_text(Time at) {
    return fmt::format("{} s", as_seconds(at.time_since_epoch()));
}

bool contains(const fleet::Placement& placement, PoolId pool, std::uint32_t node) {
    return std::any_of(
        placement.ranges.begin(), placement.ranges.end(), [&](const fleet::NodeRange& range) {
            return range.pool == pool && node >= range.first && node - range.first < range.count;
        });
}

// ---------------------------------------------------------------------------------------------
// Promises

// Whoever joins the queue, is promised room or takes it stands in front of all lower classes.
void Checker::State::came_in_front(Class priority) {
    for (std::size_t lower = 0; lower < static_cast<std::size_t>(priority); ++lower)
        higher_came[lower] = line;
}

Excuse Checker::State::excuse_since(const Job& job, std::uint64_t since) const {
    for (const PoolId pool : job.accepts) {
        for (std::size_t kind = 0; kind < 3; ++kind) {
            if (pool_excuses[pool.value][kind] > since) return static_cast<Excuse>(kind + 1);
        }
    }
    if (higher_came[static_cast<std::size_t>(job.asked.priority)] > since) {
        return Excuse::higher_class;
    }
    const auto array = arrays.find(job.asked.array);
    if (array != arrays.end() && array->second.started_line > since) return Excuse::own_array;
    if (loans_changed_line > since) return Excuse::loan_moved;
    return Excuse::none;
}

void Checker::State::judge_promises(const Job& job, Time at, std::string_view how) {
    for (const Promise& promise : job.promises) {
        const bool kept = at <= promise.by + tolerance;
        const Excuse excuse = kept ? Excuse::none : excuse_since(job, promise.line);
        if (excuse != Excuse::none) ++report.excused[static_cast<std::size_t>(excuse)];
        expect(Rule::promises, kept || excuse != Excuse::none, [&] {
            return fmt::format("job {} {} at {}, and line {} promised a start by {}",
                               job.asked.job.value,
                               how,
                               at_text(at),
                               promise.line,
                               at_text(promise.by));
        });
    }
}

void Checker::State::judge_deadline(const Job& job, Time at, std::string_view how) {
    if (job.asked.deadline >= never) return;
    const bool kept = at <= job.asked.deadline + tolerance;
    const Excuse excuse = kept ? Excuse::none : excuse_since(job, job.line);
    if (excuse != Excuse::none) ++report.excused[static_cast<std::size_t>(excuse)];
    expect(Rule::deadlines, kept || excuse != Excuse::none, [&] {
        return fmt::format("job {} {} at {}, after its deadline {}",
                           job.asked.job.value,
                           how,
                           at_text(at),
                           at_text(job.asked.deadline));
    });
}

void Checker::State::judge_limit(const Job& job, Time at) {
    if (job.asked.limit >= forever) return;
    expect(Rule::limits, at - job.started <= job.asked.limit + tolerance, [&] {
        return fmt::format("job {} has run for {} s with a limit of {} s",
                           job.asked.job.value,
                           as_seconds(at - job.started),
                           as_seconds(job.asked.limit));
    });
}

// ---------------------------------------------------------------------------------------------
// Placements

// Whether the books can be told: everything exists, and the gang is what was asked for.
bool Checker::State::well_formed(const Job& job, const fleet::Placement& on) {
    const fleet::Demand& demand = job.asked.demand;
    if (!sense(books->exists(on), [&] {
            return fmt::format("job {} is put on nodes that do not exist", job.asked.job.value);
        })) {
        return false;
    }
    std::vector<std::uint64_t> replicas(demand.parts.size(), 0);
    std::string problem;
    for (const fleet::NodeRange& range : on.ranges) {
        if (range.part >= demand.parts.size() || range.replicas == 0) {
            problem = fmt::format("part {} was not asked for", range.part);
            break;
        }
        replicas[range.part] += std::uint64_t{range.count} * range.replicas;
        const fleet::ReplicaDemand& each = demand.parts[range.part].each;
        const auto chips = static_cast<std::uint64_t>(std::popcount(range.chip_mask));
        const std::uint64_t wanted =
            each.chip_permille > 0 ? 1 : std::uint64_t{each.chips} * range.replicas;
        if (chips != wanted) {
            problem = fmt::format(
                "{} chips on a node for {} replicas of part {}", chips, range.replicas, range.part);
        }
        if (std::find(demand.pools.begin(), demand.pools.end(), range.pool) == demand.pools.end()) {
            problem = fmt::format("pool {} is none that it accepts", range.pool.value);
        }
    }
    for (std::size_t part = 0; part < replicas.size() && problem.empty(); ++part) {
        if (replicas[part] != demand.parts[part].replicas) {
            problem = fmt::format(
                "{} of {} replicas of part {}", replicas[part], demand.parts[part].replicas, part);
        }
    }
    return expect(Rule::gang, problem.empty(), [&] {
        return fmt::format("job {}: {}", job.asked.job.value, problem);
    });
}

void Checker::State::judge_domain(const Job& job, const fleet::Placement& on) {
    const fleet::NodeRange& first = on.ranges.front();
    const fleet::Pool& pool = header->fleet.pool(first.pool);
    const auto near = [&](const fleet::NodeRange& range) {
        if (job.asked.demand.within == fleet::Level::site) {
            const fleet::Pool& other = header->fleet.pool(range.pool);
            return other.site == pool.site && other.chip == pool.chip;
        }
        if (range.pool != first.pool) return false;
        std::uint32_t size = pool.nodes;
        if (job.asked.demand.within == fleet::Level::node) size = 1;
        if (job.asked.demand.within == fleet::Level::rack) size = pool.rack_nodes();
        if (job.asked.demand.within == fleet::Level::pod) size = pool.pod_nodes();
        return range.first / size == first.first / size &&
               (range.first + range.count - 1) / size == first.first / size;
    };
    expect(Rule::domain, std::all_of(on.ranges.begin(), on.ranges.end(), near), [&] {
        return fmt::format("job {} is spread over more than one {}",
                           job.asked.job.value,
                           fleet::name_of(job.asked.demand.within));
    });
}

// Nodes in `kept` may be drained: whoever runs there runs on.
void Checker::State::judge_health(const Job& job,
                                  const fleet::Placement& on,
                                  const fleet::Placement& kept) {
    for (const fleet::NodeRange& range : on.ranges) {
        std::uint32_t bad = range.first;
        while (bad < range.first + range.count) {
            const Health health = books->health(range.pool, bad);
            if (health == Health::down) break;
            if (health == Health::drained && !contains(kept, range.pool, bad)) break;
            ++bad;
        }
        expect(Rule::health, bad == range.first + range.count, [&] {
            return fmt::format("job {} is put on node {} of pool {}, which is {}",
                               job.asked.job.value,
                               bad,
                               header->fleet.pool(range.pool).name,
                               name_of(books->health(range.pool, bad)));
        });
    }
}

void Checker::State::judge_apart(const Job& job, const fleet::Placement& on) {
    const std::uint32_t tag = job.asked.demand.tag;
    const Time end = job.asked.limit >= forever ? never : job.started + job.asked.limit;
    if (apart.empty() && tag == 0) return;
    const auto own = std::find_if(
        apart.begin(), apart.end(), [&](const SetApart& one) { return one.id.value == tag; });
    if (tag != 0) {
        const bool right =
            own != apart.end() && !own->maintenance && now >= own->from && now < own->until &&
            std::all_of(on.ranges.begin(), on.ranges.end(), [&](const fleet::NodeRange& range) {
                return inside(range, own->nodes);
            });
        expect(Rule::reservations, right, [&] {
            return fmt::format(
                "job {} is not on the nodes or not in the time of its reservation {}",
                job.asked.job.value,
                tag);
        });
    }
    for (const SetApart& one : apart) {
        if (now >= one.until || end <= one.from || (tag != 0 && one.id.value == tag)) continue;
        const bool touched =
            std::any_of(on.ranges.begin(), on.ranges.end(), [&](const auto& range) {
                return std::any_of(one.nodes.begin(), one.nodes.end(), [&](const NodeRun& run) {
                    return overlap(range, run);
                });
            });
        expect(Rule::reservations, !touched, [&] {
            return fmt::format("job {} may run into reservation {}, from {}",
                               job.asked.job.value,
                               one.id.value,
                               at_text(one.from));
        });
    }
}

// ---------------------------------------------------------------------------------------------
// Rights

void Checker::State::judge_contract(const Job& job, const fleet::Placement& on) {
    const std::vector<PoolId>& barred = job.asked.barred;
    const auto forbidden =
        std::find_if(on.ranges.begin(), on.ranges.end(), [&](const fleet::NodeRange& range) {
            return std::find(barred.begin(), barred.end(), range.pool) != barred.end();
        });
    expect(Rule::contract, forbidden == on.ranges.end(), [&] {
        return fmt::format("job {} is put on pool {}, whose chips its contract forbids",
                           job.asked.job.value,
                           header->fleet.pool(forbidden->pool).name);
    });
}

QuotaBooks::Charges Checker::State::charges_in(const Job& job, PoolId pool) const {
    return quotas->charges(job.asked.demand.chips_milli(), job.asked.demand.cpus_milli(), pool);
}

// Books what it takes of the rights of its organisation, and judges whether it might.
void Checker::State::charge(Job& job, PoolId pool) {
    if (!quotas->any()) return;
    const QuotaBooks::Charges charges = charges_in(job, pool);
    const bool was_right = std::any_of(
        job.promised_rights.begin(), job.promised_rights.end(), [&](const PromisedRight& right) {
            return right.charges == charges;
        });
    job.promised_rights.clear();
    bool owner_came = false;
    for (const QuotaBooks::Charge& each : charges) {
        const bool right = has_right(job, {each}, now, true);
        owner_came = owner_came || (!right && was_right);
        expect(Rule::quota, right || was_right, [&] {
            return fmt::format("job {} starts, and {}",
                               job.asked.job.value,
                               quotas->in_words(job.house, each.resource));
        });
    }
    // Those who own something take it, even where others have borrowed it and the house uses more
    // than it may until they are gone.
    std::vector<bool> owned;
    for (const QuotaBooks::Charge& each : charges)
        owned.push_back(was_right || quotas->owner(job.house, each).has_value());
    job.charged = charges;
    quotas->use(job.house, job.charged, true);
    for (std::size_t i = 0; i < job.charged.size(); ++i) {
        const auto excess = quotas->exceeded(job.house, job.charged[i].resource);
        owner_came = owner_came || (excess && owned[i]);
        expect(Rule::quota, !excess || owned[i], [&] {
            return fmt::format("job {} starts, and {}", job.asked.job.value, *excess);
        });
    }
    if (owner_came) ++report.excused[static_cast<std::size_t>(Excuse::owner_came)];
}

void Checker::State::discharge(Job& job) {
    quotas->use(job.house, job.charged, false);
    job.charged.clear();
}

// For a higher class; where there are organisations, of its own.
void Checker::State::judge_class(const Job& victim, const Job& winner) {
    expect(Rule::preemption, winner.asked.priority > victim.asked.priority, [&] {
        return fmt::format("job {} of class {} is stopped for job {} of class {}",
                           victim.asked.job.value,
                           name_of(victim.asked.priority),
                           winner.asked.job.value,
                           name_of(winner.asked.priority));
    });
    if (!quotas->any()) return;
    expect(Rule::reclaim, winner.house == victim.house, [&] {
        return fmt::format("job {} of {} is stopped for job {} of {}, and not to take back",
                           victim.asked.job.value,
                           quotas->name_of(victim.house),
                           winner.asked.job.value,
                           quotas->name_of(winner.house));
    });
}

bool Checker::State::comes_behind(const Job& job, const Job& other) const {
    return job.asked.priority != other.asked.priority ? job.asked.priority < other.asked.priority
                                                      : job.line > other.line;
}

// Whether the winner owns what it asks for at that time, but for those who are on their way out and
// those of its own organisation that come behind it, and the victim has borrowed of that.
bool Checker::State::may_take_back(const Job& victim, const Job& winner, Time at) const {
    if (victim.house == winner.house) return comes_behind(victim, winner);
    QuotaBooks rights = rights_at(at);
    if (!counts_at(victim, at) && end_by(victim) > at)
        rights.use(victim.house, victim.charged, true);  // it was asked to stop just now
    const std::size_t top = rights.common(victim.house, winner.house);
    const auto borrows = [&](std::uint32_t resource) {
        return std::any_of(victim.charged.begin(),
                           victim.charged.end(),
                           [&](const auto& each) { return each.resource == resource; }) &&
               rights.borrows_below(victim.house, resource, top);
    };
    std::vector<std::uint32_t> borrowed;
    for (const QuotaBooks::Charge& each : victim.charged)
        if (borrows(each.resource)) borrowed.push_back(each.resource);
    if (borrowed.empty() || top == winner.house) return false;
    QuotaBooks without = rights_at(at);
    for (const auto& [id, job] : jobs) {
        const bool out_of_the_way =
            job.asked_to_stop || (job.house == winner.house && comes_behind(job, winner));
        if (job.stage == Stage::runs && out_of_the_way && counts_at(job, at))
            without.use(job.house, job.charged, false);
    }
    const auto owns_it_in = [&](const Job& its, PoolId pool) {
        bool all_owned = true;
        bool of_the_victim = false;
        for (const QuotaBooks::Charge& each : charges_in(its, pool)) {
            const auto owner = without.owner(winner.house, each);
            all_owned = all_owned && owner;
            of_the_victim =
                of_the_victim ||
                (owner && rights.depth(*owner) > rights.depth(top) &&
                 std::find(borrowed.begin(), borrowed.end(), each.resource) != borrowed.end());
        }
        return all_owned && of_the_victim;
    };
    for (std::uint32_t size = 0; size <= winner.asked.sizes.size(); ++size) {
        const Job its = in_size(winner, size);
        const std::vector<PoolId>& pools = its.asked.demand.pools;
        if (std::any_of(
                pools.begin(), pools.end(), [&](PoolId pool) { return owns_it_in(its, pool); }))
            return true;
    }
    return false;
}

// At once, or for the time at which a loan begins or is over: then not before it has to save its
// work.
void Checker::State::judge_reclaim(const Job& victim, const Job& winner) {
    const auto may = [&](Time at) { return may_take_back(victim, winner, at); };
    const bool now_already = may(now);
    const std::vector<Time> moments = loans.changes(now, never);
    const auto later =
        now_already ? moments.end() : std::find_if(moments.begin(), moments.end(), may);
    expect(Rule::reclaim, now_already || later != moments.end(), [&] {
        return fmt::format(
            "job {} of {} is stopped for job {} of {}, which has nothing to take "
            "back from it",
            victim.asked.job.value,
            quotas->name_of(victim.house),
            winner.asked.job.value,
            quotas->name_of(winner.house));
    });
    if (later == moments.end()) return;
    expect(Rule::loan, *later - now <= victim.asked.checkpoint_cost + tolerance, [&] {
        return fmt::format("job {} is stopped at {} for a right that begins at {}, and needs {} s",
                           victim.asked.job.value,
                           at_text(now),
                           at_text(*later),
                           as_seconds(victim.asked.checkpoint_cost));
    });
}

// ---------------------------------------------------------------------------------------------
// Where the chip-seconds went

// Whether the job waits for nothing but room.
bool Checker::State::asks(const Job& job) const {
    if (job.stage != Stage::waits) return false;
    for (const After& after : job.asked.after) {
        const auto other = over.find(after.job);
        if (other == over.end() || !came_as_asked(other->second, after.waits)) return false;
    }
    const auto array = arrays.find(job.asked.array);
    return job.asked.array_at_once_max == 0 || array == arrays.end() ||
           array->second.running < job.asked.array_at_once_max;
}

// Something started or ended that others wait for.
void Checker::State::ask_again() {
    std::erase_if(conditional, [&](JobId id) { return !jobs.contains(id); });
    for (const JobId id : conditional)
        counted->asks(id, asks(jobs.at(id)), now);
}

void Checker::State::judge_waterfall(const Waterfall& said) {
    const Waterfall found = counted->until(now);
    expect(Rule::waterfall, said.from == found.from, [&] {
        return fmt::format("it begins at {}, and the first job was submitted at {}",
                           at_text(said.from),
                           at_text(found.from));
    });
    using Rows = std::vector<Waterfall::Row>;
    Amount of_tenants = 0;
    for (const Waterfall::Row& row : said.tenants)
        of_tenants += row.split.total();
    const auto sum_of = [](const Rows& rows) {
        Split sum;
        for (const Waterfall::Row& row : rows) {
            for (std::size_t way = 0; way < ways; ++way)
                sum.of[way] += row.split.of[way];
        }
        return sum;
    };
    const auto alike = [&](std::string_view what, const Split& its, const Split& right) {
        expect(Rule::waterfall, its == right, [&] {
            std::size_t way = 0;
            while (its.of[way] == right.of[way])
                ++way;
            return fmt::format("{}: {} of it {}, and the log shows {}",
                               what,
                               text_of(its.of[way]),
                               name_of(static_cast<Went>(way)),
                               text_of(right.of[way]));
        });
    };
    const auto compare = [&](std::string_view kind, const Rows& its, const Rows& right) {
        const bool same = expect(Rule::waterfall, its.size() == right.size(), [&] {
            return fmt::format("{} {}s, and the log shows {}", its.size(), kind, right.size());
        });
        for (std::size_t i = 0; same && i < its.size(); ++i) {
            const std::string what = fmt::format("{} {}", kind, right[i].name);
            expect(Rule::waterfall, its[i].name == right[i].name, [&] {
                return fmt::format("{}: it is called {}", what, its[i].name);
            });
            alike(what, its[i].split, right[i].split);
        }
        return same;
    };
    if (compare("pool", said.pools, found.pools)) {
        for (std::uint32_t i = 0; i < said.pools.size(); ++i) {
            const Amount peak = counted->peak(PoolId{i}, now);
            expect(Rule::waterfall, said.pools[i].split.total() == peak, [&] {
                return fmt::format("pool {}: the classes sum to {} of {}",
                                   said.pools[i].name,
                                   text_of(said.pools[i].split.total()),
                                   text_of(peak));
            });
        }
    }
    compare("site", said.sites, found.sites);
    compare("tenant", said.tenants, found.tenants);
    alike("all pools", sum_of(said.pools), said.total);
    alike("all sites", sum_of(said.sites), said.total);
    expect(Rule::waterfall, of_tenants == said.total.held(), [&] {
        return fmt::format(
            "all tenants held {} of {}", text_of(of_tenants), text_of(said.total.held()));
    });
    const Amount of_jobs = counted->of_jobs();
    expect(Rule::waterfall, of_jobs == said.total.held(), [&] {
        return fmt::format("all jobs held {} of {}", text_of(of_jobs), text_of(said.total.held()));
    });
}

// The line behind the end of a job says where its time went, unless all of it was running.
void Checker::State::judge_account(const Account* said) {
    if (!settled) return;
    const auto own = *std::exchange(settled, std::nullopt);
    const JobId id = own.first;
    const Split& right = own.second;
    if (said == nullptr || said->job != id) {
        expect(Rule::waterfall, right.total() == right[Went::running], [&] {
            return fmt::format("job {} has no account, and not all of its time was running",
                               id.value);
        });
        return;
    }
    expect(Rule::waterfall, said->split == right, [&] {
        std::size_t way = 0;
        while (said->split.of[way] == right.of[way])
            ++way;
        return fmt::format("job {}: {} of it {}, and the log shows {}",
                           id.value,
                           text_of(said->split.of[way]),
                           name_of(static_cast<Went>(way)),
                           text_of(right.of[way]));
    });
}

// Books what a job gets, and judges what follows from all that is held.
void Checker::State::take(Job& job, const fleet::Placement& on) {
    const auto domains = books->capped_domains(on);
    std::vector<double> drawn_before;
    for (const Domain& domain : domains)
        drawn_before.push_back(books->drawn(domain));
    const auto over_committed = books->take(job.asked.demand, on);
    job.on = on;
    if (counted) counted->started(job.asked.job, on, now);
    expect(Rule::capacity, !over_committed, [&] {
        return fmt::format("job {}: {}", job.asked.job.value, *over_committed);
    });
    for (std::size_t i = 0; i < domains.size(); ++i) {
        const Domain& domain = domains[i];
        const double cap = books->cap(domain);
        const double drawn = books->drawn(domain);
        // Who draws nothing may start where idle nodes alone are over the cap.
        const bool right = drawn <= cap * (1 + 1e-9) || drawn <= drawn_before[i];
        expect(Rule::power, right, [&] {
            return fmt::format("job {}: {} {} of pool {} draws {:.1f} W of {:.1f} W",
                               job.asked.job.value,
                               fleet::name_of(domain.level),
                               domain.number,
                               header->fleet.pool(domain.pool).name,
                               drawn,
                               cap);
        });
    }
}

}  // namespace weir::audit
