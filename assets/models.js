// The slider of a model's card: the server is asked when the hand has rested for a moment, not at every pixel.
(function () {
  const REST = 90;
  let turn = 0;
  window.dash_clientside = Object.assign({}, window.dash_clientside, { models: {
    settled: (value) => {
      const mine = ++turn;
      return new Promise((done) => setTimeout(() => done(mine === turn ? value : window.dash_clientside.no_update), REST));
    },
  } });
})();
