"""`SymbolicRegressor`: symnum as a scikit-learn estimator, and `regress`, the same in one call.

A thin shell: data are checked into a `Table`, the table is a `RegressionProblem`, `discover` does the work. With several
targets every column is a discovery of its own.
"""

import logging
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from symnum.discovery import Discovery, check_language, check_limits, cores, discover
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.grammar import Grammar
from symnum.language.rules import compile_rules
from symnum.language.template import Template, category_columns, language
from symnum.problem.categories import coded, indicators, with_indicators
from symnum.problem.regression import RegressionProblem
from symnum.problem.screen import check_keep
from symnum.problem.table import as_table
from symnum.search.run import Status
from symnum.store import RunFolder, StoreError

logger = logging.getLogger("symnum")


class SymbolicRegressor(RegressorMixin, BaseEstimator):
    """Finds a formula for y in the columns of X.

    Args (day to day):
        grammar: a shipped grammar (`elementary`, `arithmetic`, `polynomial`, `rational`, `trigonometric`, `physics`), the
            path of a .g file, or a `Grammar`.
        time_limit: seconds per target; None for no limit.
        max_evaluations: passes over the search rows per target; with max_evaluations give time_limit=None for a result that
            does not depend on the machine's speed.
        max_complexity: largest formula.
        loss: mse, mae, huber (or huber:d), log-cosh, relative, gaussian:s, poisson, or a function (y, p) -> (rows,).
        model_selection: best, mdl, aic, bic, validation, accuracy or score (`Front.choose`); may be changed after fitting.
        random_state: seed.

    Args (seldom):
        n_jobs: threads; -1 or None takes every core, -2 all but one, and so on.
        verbose: 1 shows progress, 0 is silent.
        callbacks: see `symnum.callbacks`.
        run_dir: folder of a run that survives a kill.
        resume: go on with the run in run_dir; same data and arguments, limits may differ.
        warm_start: a further `fit` starts from the formulas found before.
        holdout: share of rows held out for the verdict; None takes 20 % from 50 rows on.
        encoder: what tells the search where to look: "auto", the one that ships; the file or folder of another (`symnum encode
            train`), or an `Encoder`; None for none, which has been found no worse (experiments/encoder_ablation).
        constants: whether, with units, fitted constants may carry one: `dimensionless`, `free`, or `auto`: only where pure
            numbers do not suffice.

    Args (what you know about the law):
        operators: names such as ("+", "*", "sin") in place of a grammar (`symnum.language.grammar_make.grammar_of`).
        template: its form, as "sin(f(x0)) + p[site]*x1" (`symnum.language.template`): functions to be found, constants by
            name or, in brackets, one per category of a column, which may hold text in a DataFrame.
        known: sub-expressions such as "x0*x1" that stand as one symbol.
        constraints: as "y >= 0", "increasing(x0)", "f(x0=0) = 1" (`symnum.problem.constraint`): no formula on the front breaks one.
        select_features: how many columns the search may use; "auto": those that tell something about y, where there are more
            than 20; None: all (`symnum.problem.screen`).

    Attributes:
        discovery_: the `Discovery` (or a list of them, one per target).
        equations_: the front as a DataFrame (or a list): complexity, loss, score, equation, sympy_format, lambda_format.
        parts_: with a template, its functions as expressions and its constants as numbers (by category), or a list.

    >>> X = np.linspace(1, 3, 40)[:, None]
    >>> model = SymbolicRegressor(max_evaluations=20_000, time_limit=None, random_state=0, n_jobs=1).fit(X, 2.5 * X[:, 0] ** 2)
    >>> model.sympy()
    5*x0**2/2
    """

    def __init__(
        self,
        grammar="elementary",
        *,
        time_limit=60.0,
        max_evaluations=None,
        max_complexity=30,
        loss="mse",
        model_selection="best",
        random_state=None,
        n_jobs=-1,
        verbose=0,
        callbacks=(),
        run_dir=None,
        resume=False,
        warm_start=False,
        holdout=None,
        constants="auto",
        operators=None,
        template=None,
        known=(),
        constraints=(),
        select_features="auto",
        encoder=None,
    ):
        self.grammar = grammar
        self.time_limit = time_limit
        self.max_evaluations = max_evaluations
        self.max_complexity = max_complexity
        self.loss = loss
        self.model_selection = model_selection
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.callbacks = callbacks
        self.run_dir = run_dir
        self.resume = resume
        self.warm_start = warm_start
        self.holdout = holdout
        self.constants = constants
        self.operators = operators
        self.template = template
        self.known = known
        self.constraints = constraints
        self.select_features = select_features
        self.encoder = encoder

    def fit(
        self, X, y, sample_weight=None, units: Mapping[str, str] | Sequence[str] | None = None, guesses: Sequence[str | Expr] = (),
        sigma=None,
    ) -> "SymbolicRegressor":
        """Search for formulas.

        Args:
            X: (rows, features) array or DataFrame.
            y: (rows,) or (rows, targets); a Series' name is the target's.
            sample_weight: (rows,) non-negative weights.
            units: texts like "kg*m/s^2" by column name, the target's as `y` (`y0`, `y1` … of several); or one per feature,
                followed by those of the targets. Where all are known, only dimensionally consistent formulas are searched;
                "1" is a pure number, "" not known.
            guesses: formulas to start from, as text or `Expr`; their constants are fitted.
            sigma: the known standard deviation of y, a number or (rows,): rows weigh 1/sigma², a formula that explains the data
                down to sigma ends the search, and intervals rest on it.

        Raises:
            ValueError: data, names or arguments that cannot be used, before any work, for all targets.
            KeyboardInterrupt: interrupted before a formula was found. Otherwise what was found is kept, and of several targets
                those that were searched.
        """
        if self.resume and self.run_dir is None:
            msg = "the folder of the run is required, as run_dir, where resume=True"
            raise ValueError(msg)
        check_keep(self.select_features)
        threads = _threads(self.n_jobs)
        check_limits(self.time_limit, self.max_evaluations, self.max_complexity, self.model_selection, threads)
        named = getattr(y, "name", None)  # a Series
        X, labels = coded(X, () if self.template is None else category_columns(self.template))
        names = _column_names(X)
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype=np.float64)
        names = names or [f"x{i}" for i in range(X.shape[1])]
        weight = None if sample_weight is None else _checked_weight(sample_weight, len(X))
        before = self.__dict__.get("discoveries_", []) if self.warm_start else []
        targets = [y] if y.ndim == 1 else list(y.T)
        wanted = [named if isinstance(named, str) and named else "y"] if len(targets) == 1 else [f"y{k}" for k in range(len(targets))]
        wanted = [_target_name(names, name) for name in wanted]
        units = _units(units, names, wanted)
        tables = [
            as_table(X, column, names, weight, target=name, units={n: u for n, u in units.items() if n == name or n not in wanted})
            for column, name in zip(targets, wanted, strict=True)
        ]
        for column, categories in labels.items():
            tables = [with_indicators(table, column, categories) for table in tables]
        seeds = [self._seed() for _ in targets]
        problems = [
            RegressionProblem.from_table(t, self.loss, self.holdout, s, sigma, self.constants, self.constraints)
            for t, s in zip(tables, seeds, strict=True)
        ]
        if self.template is None:  # which says what it is of
            problems = [p.screened(self.select_features, self._named(guesses, before, k)) for k, p in enumerate(problems)]
        languages = [language(p.names, self.grammar, self.operators, self.known, self.template, labels) for p in problems]
        formulas = [[*guesses, *self._formulas(before, k, p, found)] for k, (p, found) in enumerate(zip(problems, languages, strict=True))]
        for problem, found, given in zip(problems, languages, formulas, strict=True):
            check_language(problem, found, self.max_complexity, given)
            if len(targets) > 1:
                self._check_folder(problem)
        self.discoveries_ = self._searched(list(zip(problems, languages, seeds, formulas, strict=True)), threads)
        self._selected = self.model_selection, self.discoveries_
        self.multi_output_ = y.ndim > 1
        self._names, self._labels = tuple(names), labels
        return self

    def _named(self, guesses, before: list[Discovery], k: int) -> list[str]:
        """The columns of sub-expressions and formulas that are given: no screen leaves them out."""
        given = [*([self.known] if isinstance(self.known, str | Expr) else self.known), *guesses]
        found = [c.expr for c in before[k].progress.front] if k < len(before) else []
        return [n for e in [*given, *found] for n in (Expr.parse(e) if isinstance(e, str) else e).variables]

    def _seed(self) -> int | None:
        if self.random_state is None or isinstance(self.random_state, int | np.integer):
            return None if self.random_state is None else int(self.random_state)
        return int(np.random.default_rng(self.random_state).integers(1 << 32))

    def _check_folder(self, problem: RegressionProblem) -> None:
        """Refuse a target's run folder that the search would refuse, before the search of another target."""
        folder = self._folder(problem.target, alone=False)
        if folder is None or not folder.exists():
            return
        if self.resume and (folder / "config.json").exists():
            fingerprint = RunFolder.open(folder).fingerprint
            if fingerprint != problem.fingerprint:
                msg = f"the data of the run in {folder} were required to resume it, got other data; use the same data, or another folder"
                raise StoreError(msg)
        elif not folder.is_dir() or any(not p.name.endswith(".tmp") for p in folder.iterdir()):
            held = "holds a run; go on with it by resume=True" if (folder / "config.json").exists() else "is not empty"
            msg = f"a new or empty folder was required for the target {problem.target!r}, {folder} {held}, or choose another folder"
            raise StoreError(msg)

    def _folder(self, target: str, alone: bool) -> Path | None:
        """The run folder of a target: with several, each has one of its own within."""
        return None if self.run_dir is None else Path(self.run_dir) if alone else Path(self.run_dir) / target

    def _searched(self, tasks: list[tuple], threads: int) -> list[Discovery]:
        """The discoveries of the targets, one after the other; after an interruption those that were begun."""
        found: list[Discovery] = []
        for task in tasks:
            found.append(self._discover(*task, threads, alone=len(tasks) == 1))
            if found[-1].status is Status.INTERRUPTED:
                break
        if found[-1].status is Status.INTERRUPTED:
            if not any(len(d.front) for d in found):
                raise KeyboardInterrupt
            if left := [problem.target for problem, *_ in tasks[len(found):]]:
                logger.warning("interrupted: the targets %s were not searched and have no predictions", ", ".join(left))
        return found

    def _discover(self, problem, grammar, seed, guesses, threads, alone) -> Discovery:
        callbacks = list(self.callbacks)
        if self.verbose:
            from symnum.callbacks import Progress

            callbacks.append(Progress())
        folder = self._folder(problem.target, alone)
        return discover(
            problem,
            grammar,
            time_limit=self.time_limit,
            max_evaluations=self.max_evaluations,
            max_complexity=self.max_complexity,
            selection=self.model_selection,
            guesses=guesses,
            threads=threads,
            callbacks=callbacks,
            seed=seed,
            run_dir=folder,
            resume=self.resume,
            encoder=self.encoder,
        )

    def _formulas(self, before: list[Discovery], k: int, problem: RegressionProblem, grammar: Grammar | Template) -> list[Expr]:
        """What a warm start begins from: the front found before, as far as it is in the grammar, size and units of now."""
        if k >= len(before) or not len(before[k].front):
            return []
        found = [c.expr for c in before[k].progress.front if set(c.expr.variables) <= set(problem.names)]
        rules = compile_rules(grammar.grammar if isinstance(grammar, Template) else grammar, problem.names)
        batch = Batch.pack(found, rules.names)
        fits = np.ones(len(batch), bool) if problem.typing is None else problem.typing.consistent(batch)
        return [e for e, c, f in zip(found, rules.complexity(batch), fits, strict=True) if f and 0 < c <= self.max_complexity]

    # what was found -----------------------------------------------------------------------------------------------------
    @property
    def discovery_(self) -> Discovery | list[Discovery]:
        """The discovery under the present `model_selection`; a list with several targets."""
        check_is_fitted(self, "discoveries_")
        selection, found = self._selected
        if selection != self.model_selection:
            found = [d.select(self.model_selection) if d.chosen is not None else d for d in self.discoveries_]
            self._selected = self.model_selection, found
        return found if self.multi_output_ else found[0]

    @property
    def equations_(self):
        """The front as a DataFrame; a list with several targets."""
        from symnum.report import table

        return self._each(lambda d: table(d.front, self._names, self._labels))

    def predict(self, X, index: int | None = None, return_std: bool = False) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predictions of the chosen formula, or of row `index` of `equations_`: (rows,) or (rows, targets).

        With `return_std` also, in the same shape, the standard deviation of new measurements there: of the noise and of the
        fitted constants together.

        >>> X = np.linspace(1, 3, 40)[:, None]
        >>> model = SymbolicRegressor("polynomial", max_evaluations=20_000, time_limit=None, random_state=0, n_jobs=1)
        >>> model.fit(X, 2.5 * X[:, 0] ** 2 + np.tile([0.1, -0.1], 20)).predict([[2.0]])
        array([10.])
        >>> mean, std = model.predict([[2.0]], return_std=True)
        >>> std.round(2)
        array([0.1])
        """
        check_is_fitted(self, "discoveries_")
        X, _ = coded(X, self._labels, self._labels)
        table = self._columns(validate_data(self, X, reset=False, dtype=np.float64))
        with np.errstate(all="ignore"):
            columns = self._each(lambda d: d._pick(index).best(table))
            spread = self._each(lambda d: d.prediction_std(np.column_stack([table[n] for n in d.names]), index)) if return_std else None
        mean = np.column_stack(columns) if self.multi_output_ else columns
        if not return_std:
            return mean
        return mean, np.column_stack(spread) if self.multi_output_ else spread

    def _columns(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """The columns by name, those of the categories included."""
        table = dict(zip(self._names, X.T, strict=True))
        for column, categories in self._labels.items():
            table |= indicators(table[column], column, categories)
        return table

    @property
    def parts_(self):
        """What stands in the template's places; a list with several targets. None where there is no template."""
        return self._each(lambda d: None if d.template is None else d.template.parts(d.best.expr))

    def sympy(self, index: int | None = None):
        """The formula as sympy; a list with several targets."""
        return self._each(lambda d: d.sympy(index))

    def latex(self, index: int | None = None, precision: int = 4):
        """The formula as LaTeX; a list with several targets."""
        return self._each(lambda d: d.latex(index, precision))

    def torch(self, index: int | None = None):
        """The formula as a torch module on (rows, features) whose parameters are its free constants; a list with several targets."""
        names = (*self._names, *(f"{column}={k}" for column, categories in self._labels.items() for k in categories))
        return self._each(lambda d: d._pick(index).best.torch(names))

    def _each(self, f):
        found = self.discovery_
        return [f(d) for d in found] if self.multi_output_ else f(found)

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """scikit-learn's form, and once fitted the front with the chosen row marked."""
        head = super().__repr__(N_CHAR_MAX)
        if not hasattr(self, "discoveries_"):
            return head
        found = self.discovery_
        return "\n\n".join([head, *(str(d) for d in (found if self.multi_output_ else [found]))])

    def _repr_html_(self) -> str:
        if not hasattr(self, "discoveries_"):
            return f"<pre>{escape(repr(self))}</pre>"
        found = self.discovery_
        return "".join(d._repr_html_() for d in (found if self.multi_output_ else [found]))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.regressor_tags.poor_score = True  # a formula that fits random data is not what is looked for
        return tags

    def __getstate__(self):
        """Callbacks may hold a screen; they are of the moment and are not pickled."""
        return super().__getstate__() | {"callbacks": ()}


def regress(X, y, **arguments) -> Discovery:
    """The `Discovery` of `SymbolicRegressor(**arguments).fit(X, y)`; `sample_weight`, `units`, `guesses` and `sigma` go to `fit`.

    Returns:
        The discovery; a list of them, one per target, where y is (rows, targets).

    Raises:
        ValueError: data, names or arguments that cannot be used, before any work.
        TypeError: an argument that there is not.

    >>> X = np.linspace(1, 3, 40)[:, None]
    >>> found = regress(X, X[:, 0] ** 2 + 0.5, max_evaluations=20_000, time_limit=None, random_state=0, n_jobs=1)
    >>> print(found.best.best, found.verdict.r2)
    x0^2 + 1/2 1.0
    """
    fitting = {k: arguments.pop(k) for k in ("sample_weight", "units", "guesses", "sigma") if k in arguments}
    return SymbolicRegressor(**arguments).fit(X, y, **fitting).discovery_


def _column_names(X) -> list[str] | None:
    """The names of a DataFrame's columns, as scikit-learn takes them: only where all are text."""
    columns = getattr(X, "columns", None)
    return [str(c) for c in columns] if columns is not None and all(isinstance(c, str) for c in columns) else None


def _threads(n_jobs: int | None) -> int:
    """How many threads `n_jobs` asks for, as joblib counts: negative ones from the cores that this process may use."""
    if n_jobs == 0:
        msg = "n_jobs must not be 0; give a number of threads, -1 for every core, -2 for all but one"
        raise ValueError(msg)
    n_jobs = -1 if n_jobs is None else n_jobs
    return n_jobs if n_jobs > 0 else max(1, cores() + 1 + n_jobs)


def _target_name(names, wanted: str) -> str:
    """The target's name, which no column has."""
    while wanted in names:
        wanted += "_"
    return wanted


def _checked_weight(weight, rows: int) -> np.ndarray:
    from sklearn.utils.validation import _check_sample_weight

    return _check_sample_weight(weight, np.empty((rows, 1)), dtype=np.float64)


def _units(units, names, targets) -> dict[str, str]:
    """Units by column name, those of the targets under theirs; which names there are is checked with the table."""
    if units is None:
        return {}
    if isinstance(units, Mapping):
        return dict(units)
    if isinstance(units, str) or len(units) not in (len(names), len(names) + len(targets)):
        given = repr(units) if isinstance(units, str) else len(units)
        msg = f"one unit per feature was required ({len(names)}), the {len(targets)} of the target behind them or left out, got {given}"
        raise ValueError(msg)
    return dict(zip([*names, *targets], units, strict=False))
