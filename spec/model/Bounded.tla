------------------------------ MODULE Bounded ------------------------------
\* The bounds within which TLC searches, and the searches: tests/model/searches.py names them.
EXTENDS Fazhi, TLC

CONSTANTS A, B, m1, m2, m3, m4, m5, m6

\* The member m1 leaves and m5 comes, at the boundary of the two heights.
Case(faulty) == [seats |-> <<<<m1, m2, m3, m4>>, <<m2, m3, m4, m5>>>>, faulty |-> faulty]
OneEach == <<Case({m1, m5})>>
Anyone == <<Case({m1, m5}), Case({m2}), Case({m3}), Case({m4})>>
NobodyOfSix == <<[seats |-> <<<<m1, m2, m3, m4, m5, m6>>>>, faulty |-> {}]>>

ValuesAlike == Permutations({A, B})
MembersAlike == ValuesAlike \cup Permutations({m2, m3, m4})

-----------------------------------------------------------------------------
\* All signatures of height 1, then all decisions of height 1, then height 2: any other order of the same steps leads to
\* the same state, or to one with fewer decisions and later signatures. For a signature of one height neither allows nor
\* forbids one of another height, what a certificate needs only grows, and a decision only ends what its own member does
\* at that height: so each decision can wait for the others' signatures of its height, and each signature of height 2
\* for all decisions of height 1. What height 1 signed cannot matter after that, and is forgotten.
Forgotten(book, h) == book' = [book EXCEPT ![h] = {}]

Turn(h) ==
    /\ \A i \in Correct : Height(i) = h
    /\ \E r \in Rounds, v \in Values : Certified(h, r, v) /\ chain' = [i \in Correct |-> Append(chain[i], v)]
    /\ at' = [i \in Correct |-> Fresh]
    /\ Forgotten(proposals, h) /\ Forgotten(prepares, h) /\ Forgotten(commits, h) /\ Forgotten(changes, h)
    /\ UNCHANGED run

Sequential == Init /\ [][(\E i \in Correct : Works(i)) \/ (\E h \in 1..MaxHeight : Turn(h))]_vars

-----------------------------------------------------------------------------
\* Where a counter-example is known to lie: who takes part in which round, so that it is found soon. A search that is
\* narrowed proves nothing but what it finds.
Only(book, r, who) == \A m \in book[1] : m[1] = r => m[2] \in who

Halves == Only(prepares, 0, {m1, m2, m3}) /\ Only(prepares, 1, {m4, m5, m6}) /\ Only(changes, 1, {m4, m5, m6})

FourRounds ==
    /\ \A m \in prepares[1] : m[3] = IF m[1] % 2 = 0 THEN A ELSE B
    /\ Only(prepares, 0, {m2, m3}) /\ Only(commits, 0, {m2})
    /\ Only(prepares, 1, {m3, m4}) /\ Only(commits, 1, {m4})
    /\ Only(prepares, 2, {m2, m3}) /\ Only(commits, 2, {m3})
    /\ Only(prepares, 3, {m2, m4}) /\ Only(commits, 3, {m2})
=============================================================================
