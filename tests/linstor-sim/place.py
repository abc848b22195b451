# SPDX-License-Identifier: Apache-2.0
"""Where replicas go: the autoplacer's filter, and the rule of tie-breakers."""
import re

import codes
import state
from state import Refused, entry


def merged(group, given, plain=False):
    """The filter of a request over its group's. A filter that was sent at all, and every plain
    autoplace, discards the group's list of nodes."""
    filter_ = dict(group.select)
    if given is not None or plain:
        filter_.pop("node_name_list", None)
    filter_.update({key: value for key, value in (given or {}).items()
                    if value is not None and value != []})
    return filter_


def pools_of(node, filter_, size, layers):
    wanted = [p.upper() for p in filter_.get("storage_pool_list") or
              ([filter_["storage_pool"]] if filter_.get("storage_pool") else [])]
    providers = filter_.get("provider_list") or []
    for key in sorted(node.pools):
        pool = node.pools[key]
        if pool.provider == "DISKLESS" or wanted and key not in wanted or \
                providers and pool.provider not in providers:
            continue
        if pool.room() >= size and not ("DRBD" in layers and "DRBD" not in node.layers):
            yield pool


def key_value(node, text):
    key, _, value = text.partition("=")
    return key, node.props.get(key), value


def matches(node, filter_, cluster, definition):
    names = [n.upper() for n in filter_.get("node_name_list") or []]
    if names and node.name.upper() not in names:
        return False
    if not node.usable() or node.props.get("AutoplaceTarget", "true").lower() == "false":
        return False
    for text in filter_.get("replicas_on_same") or []:
        _, value, wanted = key_value(node, text)
        if wanted and value != wanted:
            return False
    for text in filter_.get("replicas_on_different") or []:
        _, value, unwanted = key_value(node, text)
        if unwanted and value == unwanted:
            return False
    away = [cluster.definitions.get(n.upper()) for n in filter_.get("not_place_with_rsc") or []]
    if filter_.get("not_place_with_rsc_regex"):
        pattern = re.compile(filter_["not_place_with_rsc_regex"], re.I)
        away += [d for d in cluster.definitions.values()
                 if d is not definition and pattern.fullmatch(d.name)]
    return not any(node.name.upper() in d.resources for d in away if d)


def fits(chosen, node, filter_):
    for text in filter_.get("replicas_on_same") or []:
        key, value, wanted = key_value(node, text)
        if not wanted and any(other.props.get(key) != value for other in chosen):
            return False
    for text in filter_.get("replicas_on_different") or []:
        key, value, unwanted = key_value(node, text)
        if not unwanted and any(other.props.get(key) == value for other in chosen):
            return False
    return True


def candidates(cluster, definition, filter_, size):
    """(node, pool), the roomiest first."""
    found = []
    for node in cluster.ordered(cluster.nodes):
        if not matches(node, filter_, cluster, definition):
            continue
        pools = list(pools_of(node, filter_, size, definition.layers or ["DRBD", "STORAGE"]))
        if pools:
            found.append((node, max(pools, key=lambda pool: pool.free())))
    return sorted(found, key=lambda pair: (-pair[1].free(), pair[0].name.upper()))


def choose(found, chosen, count, filter_):
    """`count` of the candidates that get along with each other and those already chosen."""
    if count == 0:
        return []
    for number, (node, pool) in enumerate(found):
        if fits(chosen, node, filter_):
            rest = choose(found[number + 1:], chosen + [node], count - 1, filter_)
            if rest is not None:
                return [(node, pool)] + rest
    return None


def autoplace(cluster, definition, filter_):
    """The new (node, pool) pairs; [] if there is nothing to do."""
    cluster.account()
    have = definition.diskful()
    size = sum(v.size for v in definition.volumes.values())
    additional = filter_.get("additional_place_count") or 0
    count = additional or filter_.get("place_count", 2) - len(have)
    if count <= 0:
        return []
    found = [pair for pair in candidates(cluster, definition, filter_, size)
             if pair[0].name.upper() not in {r.node.name.upper() for r in have}]
    chosen = choose(found, [r.node for r in have], count, filter_)
    if chosen is None:
        raise Refused("RscDfn", codes.CREATE, codes.NOT_ENOUGH_NODES, "Not enough available nodes",
                      details=f"Not enough nodes fulfilling the following auto-place criteria:\n"
                      f" * has a deployed storage pool with {size} KiB\n"
                      f" * the current access context has enough privileges\n * node is online\n"
                      f"Auto-placing resource: {definition.name}")
    return chosen


def wants_tie_breaker(cluster, definition):
    def option(key):
        for props in (definition.props, definition.group.props, cluster.props):
            if key in props:
                return props[key]
        return None

    if not definition.drbd() or option("DrbdOptions/Resource/quorum") == "off" or \
            str(option("DrbdOptions/auto-add-quorum-tiebreaker")).lower() != "true":
        return False
    diskful = len(definition.diskful())
    others = [r for r in definition.resources.values() if "DRBD_DISKLESS" in r.flags
              and "DELETE" not in r.flags and not r.tie_breaker() and not r.client]
    return diskful >= 2 and diskful % 2 == 0 and not others


def apply_tie_breaker(cluster, definition, make, remove):
    """After every change of the replicas. `make(node)` and `remove(resource)` do it."""
    breakers = [r for r in definition.resources.values() if r.tie_breaker() and "DELETE" not in r.flags]
    if not wants_tie_breaker(cluster, definition):
        for resource in breakers:
            remove(resource)
            yield entry("Rsc", codes.DELETE, codes.INFO, codes.I_TIE_BREAKER_DELETING,
                        f"Tie breaker marked for deletion: {resource.node.name}")
        return
    if breakers:
        return
    for node in cluster.ordered(cluster.nodes):
        if node.usable() and "DRBD" in node.layers and \
                node.name.upper() not in definition.resources:
            make(node)
            yield entry("Rsc", codes.CREATE, codes.INFO, codes.I_TIE_BREAKER,
                        f"Tie breaker resource '{definition.name}' created on {state.DISKLESS_POOL}")
            return
    yield entry("Rsc", codes.CREATE, codes.WARN, codes.W_NO_NODE_FOR_TIE_BREAKER,
                "Could not find suitable node to automatically create a tie breaking resource for "
                f"'{definition.name}'.")
