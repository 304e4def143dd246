import './base.css';
import './parameters.css';
import './runs.css';
import './compare.css';
