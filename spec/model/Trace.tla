------------------------------- MODULE Trace -------------------------------
\* Whether runs of the simulator are runs of the model: tests/model writes them into the module Data. Every step must be
\* allowed, and the quorum that it names must let it. A run that does otherwise ends where it does.
EXTENDS Fazhi, Data, TLC

VARIABLE done  \* how many steps of the run have been taken

\* A step is <<kind, member, height, round, value, claim, witness>>.
Voted(h, r, v, who, book) ==
    /\ who \subseteq Members(h) /\ Cardinality(who) >= Quorum(h)
    /\ \A i \in who \cap Correct : <<r, i, v>> \in book[h]

\* What a proposer above round 0 shows: q ROUND-CHANGEs for its round, of distinct members, as they were signed; those of
\* faulty members must prove what they claim. The highest prepared round among them names the block.
Shown(h, r, v, claims) ==
    /\ Cardinality(claims) = Quorum(h) /\ Cardinality({c[1] : c \in claims}) = Quorum(h)
    /\ \A c \in claims : /\ c[1] \in Members(h)
                         /\ IF c[1] \in Correct
                            THEN <<r, c[1], c[2]>> \in changes[h]
                            ELSE c[2] = None \/ (c[2][1] < r /\ Prepared(h, c[2][1], c[2][2]))
    /\ LET top == {c \in claims : \A d \in claims : d[2][1] <= c[2][1]}
       IN \E c \in top : c[2] = None \/ c[2][2] = v

Taken(e) ==
    LET i == e[2]
        h == e[3]
        r == e[4]
        v == e[5]
    IN \/ e[1] = "propose" /\ Propose(i, h, r, v) /\ (r = 0 \/ Shown(h, r, v, e[7]))
       \/ e[1] = "prepare" /\ Prepare(i, h, r, v)
       \/ e[1] = "commit" /\ Commit(i, h, r, v) /\ Voted(h, r, v, e[7], prepares)
       \/ e[1] = "round-change" /\ at[i].lock = e[6] /\ EnterRound(i, h, r)
       \/ e[1] = "decide" /\ Decide(i, h, r, v) /\ Voted(h, r, v, e[7], commits)
       \/ e[1] = "restart" /\ Height(i) = h /\ Recovered(i) = at[i] /\ UNCHANGED vars
       \/ \* Every correct member has decided: what was signed at that height cannot matter any more.
          /\ e[1] = "forget" /\ \A j \in Correct : Height(j) > h
          /\ proposals' = [proposals EXCEPT ![h] = {}] /\ prepares' = [prepares EXCEPT ![h] = {}]
          /\ commits' = [commits EXCEPT ![h] = {}] /\ changes' = [changes EXCEPT ![h] = {}]
          /\ UNCHANGED <<run, at, chain>>

TraceInit == Init /\ done = 0
TraceNext == done < Len(Steps[run]) /\ done' = done + 1 /\ Taken(Steps[run][done + 1])

\* TLC says how far it could follow each run.
Told == PrintT(<<"reached", run, done>>)
TraceSpec == TraceInit /\ [][TraceNext]_<<vars, done>>
=============================================================================
